"""One module a daemon: its options and the service they make."""
