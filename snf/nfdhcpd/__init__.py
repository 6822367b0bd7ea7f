"""Answers guests' DHCP, router and neighbor solicitations on their own node."""
