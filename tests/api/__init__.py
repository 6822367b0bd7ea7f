"""Tests of ``snf.api``."""
