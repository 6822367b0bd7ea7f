"""Tests of ``snf.manage``."""
