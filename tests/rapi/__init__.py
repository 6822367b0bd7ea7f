"""Tests of ``snf.rapi`` and of the simulated cluster that stands in for Ganeti."""
