"""Tests of ``snf.core``."""
