"""Getting from the cloud's API, over lines and past servers that fail."""

import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from failure import Failed

_CHUNK = 1024 * 1024
_PAUSES_S = (1, 2, 4, 8, 16, 30)
_CUT = "the connection ended before the data did"
_AGAIN = (408, 425, 429)
_HOLDS_UP = (OSError, http.client.HTTPException)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None  # what is signed is signed for one place


class Source:
    """
    A URL that is asked as often as the settings ``[fetch]`` say.

    :ivar what: What is there, for messages; the URL itself is secret but for its host.
    """

    def __init__(self, what, url, settings, sleep=time.sleep):
        self.what = what
        self.settings = settings
        self._url = url
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._sleep = sleep
        self._deadline = 0.0
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
        except OSError as problem:  # ssl.SSLError is one
            raise Failed(f"{settings.ca_file}: {problem.strerror}") from None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context),
            _NoRedirect(),
        )

    def body(self, most_bytes):
        """
        Return what is there.

        :raises Failed: It cannot be had, or is more than so much.
        """
        pieces = []

        self.download(
            pieces.clear, pieces.append, lambda: sum(map(len, pieces)), most_bytes
        )
        return b"".join(pieces)

    def download(self, begin, write, have, most_bytes):
        """
        Get what is there, beginning where one is; going on after what holds it up.

        :param begin: Called when all has to come again.
        :param write: Called with each piece.
        :param have: Returns how much is there.
        :raises Failed: It cannot be had, or is more than so much.
        """
        self._deadline = time.monotonic() + self.settings.total_s
        for attempt in range(1, self.settings.attempts + 1):
            before = have()
            try:
                self._once(begin, write, have, most_bytes)
            except urllib.error.HTTPError as answer:
                answer.close()
                problem = self._judge(answer.code, begin)
            except _HOLDS_UP as failure:
                problem = self._words(failure)
            else:
                return
            if attempt == self.settings.attempts:
                raise Failed(f"{self._where}: {problem}")
            # A line that brings something each time is still no reason to hurry.
            pause = _PAUSES_S[min(attempt, len(_PAUSES_S)) - 1]
            moved = have() > before
            self._sleep((1 if moved else pause) * random.uniform(0.5, 1.5))

    def _once(self, begin, write, have, most_bytes):
        at = have()
        headers = {"Range": f"bytes={at}-"} if at else {}
        request = urllib.request.Request(self._url, headers=headers)
        with self._opener.open(request, timeout=self.settings.timeout_s) as answer:
            if at and answer.status != 206:
                begin()
                at = 0
            elif at and _first(answer) != at:
                begin()
                raise OSError("the answer is another part than asked for")
            expected = answer.length
            got = 0
            while chunk := answer.read1(_CHUNK):
                got += len(chunk)
                if time.monotonic() > self._deadline:
                    raise Failed(f"{self._where}: it takes too long")
                if at + got > most_bytes:
                    raise Failed(f"{self._where}: it is larger than it should be")
                write(chunk)
            if expected is not None and got < expected:
                raise OSError(_CUT)

    def _judge(self, code, begin):
        """
        Return what to say of an answer that is no success, if it may get better.

        :raises Failed: It does not get better.
        """
        if code == 416:
            begin()
        elif code in (401, 403):
            raise Failed(f"{self._where}: HTTP {code}: the URL is not valid any more")
        elif code < 500 and code not in _AGAIN:
            raise Failed(f"{self._where}: HTTP {code}")
        return f"HTTP {code}"

    def _words(self, failure):
        """
        Return what to say of a broken line.

        :raises Failed: It does not get better.
        """
        if isinstance(failure, urllib.error.URLError):
            failure = failure.reason
        if isinstance(failure, ssl.SSLCertVerificationError):
            words = f"its certificate is not valid: {failure.verify_message}"
            raise Failed(f"{self._where}: {words}")
        if isinstance(failure, http.client.IncompleteRead):
            return _CUT
        if isinstance(failure, OSError):
            return failure.strerror or str(failure) or type(failure).__name__
        return "it does not speak HTTP"

    @property
    def _where(self):
        return f"{self.what} cannot be had from {self._host}"


def _first(answer):
    """Return where the part begins that an answer brings; -1 if it does not say."""
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else -1
