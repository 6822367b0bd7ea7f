"""Ganeti's nodes, as the API asks their daemons about servers."""
