"""Tests of ``snf``."""
