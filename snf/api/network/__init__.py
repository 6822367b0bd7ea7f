"""OpenStack network v2.0."""
