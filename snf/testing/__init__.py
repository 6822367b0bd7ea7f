"""Verified stand-ins for outside systems, and the tests that verify them."""
