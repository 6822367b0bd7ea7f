"""The OS definition, run as Ganeti runs it, on real images."""
