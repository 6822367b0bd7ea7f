"""Tests of ``snf.tap``."""
