"""Tests of what ``./cloud`` runs."""
