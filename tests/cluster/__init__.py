"""Tests on a running all-in-one: what nodes do for servers, moves, and parts that break."""
