"""OpenStack identity v3 over the embedded users."""
