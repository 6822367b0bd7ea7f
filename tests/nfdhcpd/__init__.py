"""nfdhcpd."""
