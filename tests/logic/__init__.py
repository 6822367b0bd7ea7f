"""Tests of ``snf.logic``."""
