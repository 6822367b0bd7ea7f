"""The directory of images that the cloud's API and the nodes share.

Its files are as large as they say, but a node reads one as a whole only when it first
uses it, and notes in its cache's directory that this one is what it is to be.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from failure import Failed

_MOST_STAMPS = 1000
_REFUSED = "the image is refused: its file in the directory of images"


def found(directory, sha256):
    """Return where an image is; "" if it is not there, or there is no directory."""
    path = os.path.join(directory, sha256[:2], sha256) if directory else ""
    return path if path and os.path.exists(path) else ""


def verify(path, sha256, size, stamps):
    """
    Return if a file is the image.

    :param stamps: The directory where it is noted.
    :raises Failed: It is not.
    """
    status = os.stat(path)
    if status.st_size != size:
        raise Failed(f"{_REFUSED} has {status.st_size} bytes")
    now = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}\n"
    stamp = Path(stamps) / "seen" / sha256
    with contextlib.suppress(OSError):
        if stamp.read_text("ascii") == now:
            return
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise Failed(f"{_REFUSED} has another SHA-256")
    with contextlib.suppress(OSError):
        _note(stamp, now)


def _note(stamp, text):
    stamp.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp.parent.mkdir(mode=0o700, exist_ok=True)
    there = list(stamp.parent.iterdir())
    if len(there) >= _MOST_STAMPS:
        for old in there:
            old.unlink(missing_ok=True)  # they are read again, once
    new = stamp.with_name(f"{stamp.name}.{os.getpid()}")
    new.write_text(text, "ascii")
    os.rename(new, stamp)
