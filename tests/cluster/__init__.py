"""Tests on a running all-in-one that move its servers about, and break parts of it."""
