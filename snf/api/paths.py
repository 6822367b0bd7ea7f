"""Paths of requests, as they may be written to logs."""

import re

# URLs that end in a secret, which OpenStack has put there.
_SECRET = re.compile(r"(/os-console-auth-tokens/).+")


def told(path: bytes) -> str:
    """Return a path without the secret that is in some."""
    return _SECRET.sub(r"\1...", path.decode("ascii", "replace"))
