"""Tests of the client of Keystone."""
