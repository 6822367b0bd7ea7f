"""Consoles: handshakes, relays, and what stands at both ends of them."""
