"""Tests on a running all-in-one."""
