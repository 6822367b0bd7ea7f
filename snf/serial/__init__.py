"""The serial lines of a node's guests: what they have said, and who types there."""
