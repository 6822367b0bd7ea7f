"""Tests of the data of images."""
