"""What the cloud decides, as plain values and functions: no I/O, no clock, no Twisted."""
