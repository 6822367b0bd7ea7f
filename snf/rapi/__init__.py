"""Ganeti's remote API."""
