"""The shapes of what a real OpenStack answers; see :mod:`tests.golden.shapes`."""
