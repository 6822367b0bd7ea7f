"""OpenStack image v2."""
