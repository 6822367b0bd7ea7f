"""Consoles: what stands between a viewer's connection and a guest's screen."""
