"""Cyclades: a cloud on top of Ganeti."""
