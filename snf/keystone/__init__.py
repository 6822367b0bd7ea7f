"""An OpenStack identity service of somebody else's, which knows the accounts."""
