"""The serial lines of guests."""
