"""What is told of the work, to the cloud: files in the spool of this node's snf-eventd.

Nothing here ever fails: a server does not have to suffer for the news of it.
"""

import contextlib
import json
import os
import time

_MOST_FILES = 2000
_LONGEST = 255


class News:
    """The spool, and the instance that it is about."""

    def __init__(self, instance, spool, every_s):
        self.instance = instance
        self.spool = spool
        self.every_s = every_s
        self._percent = -1
        self._told = 0.0

    def progress(self, percent):
        """Tell how much of the system disk is there; not too often."""
        percent = min(100, int(percent))
        now = time.monotonic()
        if percent > self._percent and (
            percent == 100 or now - self._told >= self.every_s
        ):
            self._percent, self._told = percent, now
            self._leave({"type": "ganeti-create-progress", "rprogress": percent})

    def info(self, text):
        """Tell what is being done."""
        self._leave({"type": "image-info", "messages": [text[:_LONGEST]]})

    def error(self, text):
        """Tell why it could not be done."""
        self._leave({"type": "image-error", "messages": [text[:_LONGEST]]})

    def _leave(self, message):
        now_us = time.time_ns() // 1000
        whole = {
            **message,
            "instance": self.instance,
            "event_time": divmod(now_us, 1_000_000),
        }
        # Whatever is wrong with the spool, or if there is none.
        with contextlib.suppress(OSError, ValueError):
            self._write(json.dumps(whole).encode())

    def _write(self, body):
        if len(os.listdir(self.spool)) >= _MOST_FILES:
            return
        name = f"{time.time_ns()}-{os.getpid()}.json"
        new = os.path.join(self.spool, f".{name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
            os.rename(new, os.path.join(self.spool, name))
        except OSError:
            os.unlink(new)
            raise
