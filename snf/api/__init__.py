"""The HTTP APIs: OpenStack's identity, compute, image and network."""
