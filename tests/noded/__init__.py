"""The daemon of nodes."""
