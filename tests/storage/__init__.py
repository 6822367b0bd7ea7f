"""Tests of ``snf.storage``."""
