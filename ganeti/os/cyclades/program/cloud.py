"""Telling the cloud's API of an image that is made here, and bringing it there."""

import contextlib
import http.client
import json
import os
import random
import ssl
import time
from urllib.parse import urlsplit

from failure import Failed

_PIECE = 1024 * 1024
_PAUSES_S = (2, 4, 8, 16, 30, 60)
_AGAIN = (408, 425, 429)
_LONGEST_ERROR = 900


class Ended(Exception):
    """The cloud wants no image for this order, or no longer."""


class Cloud:
    """
    Where the image of one order is to be brought.

    :param url: Of the order, signed; secret but for its host.
    :param settings: ``[fetch]``.
    """

    def __init__(self, url, settings, sleep=time.sleep):
        self._parts = urlsplit(url)
        self._settings = settings
        self._sleep = sleep
        self._context = None
        if self._parts.scheme == "https":
            try:
                ca_file = settings.ca_file or None
                self._context = ssl.create_default_context(cafile=ca_file)
            except OSError as problem:  # ssl.SSLError is one
                raise Failed(f"{settings.ca_file}: {problem.strerror}") from None

    def report(self, percent=0, error=None):
        """
        Tell how far the image is, or why there will be none.

        :raises Ended: There is to be none.
        :raises Failed: The cloud cannot be told.
        """
        told = {"percent": percent}
        if error is not None:
            told["error"] = error[:_LONGEST_ERROR]
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json"}
        self._send("POST", body, headers)

    def ask(self):
        """
        Return if an image is wanted; what holds it up is waited for.

        :raises Ended: None is.
        :raises Failed: The cloud cannot be asked.
        """
        self._insist(self.report)

    def fail(self, error):
        """
        Tell why there will be no image; what holds it up is waited for.

        :raises Ended: The cloud knows already.
        :raises Failed: It cannot be told.
        """
        self._insist(lambda: self.report(error=error))

    def bring(self, file, progress):
        """
        Send a file, again from its beginning after what holds it up.

        :param progress: Called with percent between pieces.
        :raises Ended: It is not wanted, or was refused, and the cloud knows why.
        :raises Failed: It cannot be sent.
        """
        self._insist(lambda: self._send("PUT", _Pieces(file, progress), {}))

    def _insist(self, work):
        attempts = self._settings.attempts
        for attempt in range(1, attempts + 1):
            try:
                work()
                return
            except Failed:
                if attempt == attempts:
                    raise
            pause = _PAUSES_S[min(attempt, len(_PAUSES_S)) - 1]
            self._sleep(pause * random.uniform(0.5, 1.5))

    def _send(self, method, body, headers):
        try:
            code = self._ask(method, body, headers)
        except (OSError, http.client.HTTPException) as problem:
            raise Failed(f"{self._where}: {_words(problem)}") from None
        self._judge(code)

    def _ask(self, method, body, headers):
        kind, more = http.client.HTTPConnection, {}
        if self._context is not None:
            kind, more = http.client.HTTPSConnection, {"context": self._context}
        parts = self._parts
        timeout_s = self._settings.timeout_s
        connection = kind(parts.hostname, parts.port, timeout=timeout_s, **more)
        if isinstance(body, _Pieces):
            headers = {**headers, "Content-Length": str(body.size)}
        try:
            target = f"{parts.path}?{parts.query}"
            # A refusal may have come before all was sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def _judge(self, code):
        """
        Return if an answer is a success.

        :raises Ended: It does not get better, and the cloud knows of it.
        :raises Failed: It may.
        """
        if code in _AGAIN or code >= 500:
            raise Failed(f"{self._where}: HTTP {code}")
        if code >= 300:
            raise Ended(f"HTTP {code}")

    @property
    def _where(self):
        host = self._parts.netloc.rpartition("@")[2]
        return f"the cloud at {host} cannot be told of the image"


class _Pieces:
    """A file from its beginning, as a body; whoever reads it tells how far it is."""

    def __init__(self, file, progress):
        self.size = file.seek(0, os.SEEK_END)
        self._file = file
        self._progress = progress

    def __iter__(self):
        at = 0
        # Opened anew: QEMU, which was handed the file, may have made it one that is read
        # past the page cache, into aligned memory only (O_DIRECT).
        with open(f"/proc/self/fd/{self._file.fileno()}", "rb", buffering=0) as anew:
            while piece := anew.read(_PIECE):
                yield piece
                at += len(piece)
                self._progress(100 * at / max(1, self.size))


def _words(failure):
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {failure.verify_message}"
    if isinstance(failure, OSError):
        return failure.strerror or str(failure) or type(failure).__name__
    return "it does not speak HTTP"
