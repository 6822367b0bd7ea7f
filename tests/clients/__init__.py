"""Clients that others have written, unchanged, against ``./cloud demo``."""
