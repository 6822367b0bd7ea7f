"""One request to Keystone and its answer, or why there is none."""

import random
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from attrs import define, field, frozen
from treq import collect
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import stringToDatetime

from snf.core.circuit import Circuit
from snf.core.errors import Unavailable
from snf.http import HttpClient, unanswered

_log = Logger()

# What waits for a place among those that are under way.
_WAITING_AT_MOST = 200
# A token without the catalog has some 2 KB.
_BODY_AT_MOST = 256 * 1024

_AWAY = "The identity service (Keystone) does not answer; try again later"
_BUSY = "Too many tokens are being checked; try again later"


@frozen
class Answer:
    """
    What Keystone answered.

    :ivar token: What it gave or was asked about (``X-Subject-Token``).
    :ivar now: When, by its own clock; None where it does not say.
    """

    status: int
    content: Any
    token: str | None = field(repr=False)
    now: float | None


class _Useless(Exception):
    """There is no answer, or none that Keystone would give; the text is for the log."""


@define(eq=False)
class Exchange:
    """
    Requests to one Keystone: some at a time, each within ``timeout_s`` seconds.

    While it does not answer it is left alone (:class:`~snf.core.circuit.Circuit`).

    :ivar url: Of its version 3.
    """

    url: str
    http: HttpClient
    clock: IReactorTime
    timeout_s: float
    at_once: int
    circuit: Circuit = field(init=False)
    _places: DeferredSemaphore = field(init=False)
    _waiting: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.circuit = Circuit(self.timeout_s)
        self._places = DeferredSemaphore(self.at_once)

    async def ask(
        self,
        method: str,
        path: str,
        fine: Collection[int],
        headers: Mapping[str, str],
        body: Any = None,
    ) -> Answer:
        """
        Make a request and return its answer, whose status is one of those in ``fine``.

        :raises Unavailable: There is none; why is logged, since it is the operator's
            business.
        """
        if self._waiting >= _WAITING_AT_MOST:
            raise Unavailable(_BUSY)
        began = self.clock.seconds()
        if not self.circuit.admits(began):
            raise Unavailable(_AWAY)
        self._waiting += 1
        try:
            answer = await Deferred.fromCoroutine(
                self._exchange(method, path, fine, headers, body)
            ).addTimeout(self.timeout_s, self.clock, self._expired)
        except _Useless as reason:
            raise self.useless(f"{method} {path}: {reason}", began) from None
        finally:
            self._waiting -= 1
        if self.circuit.succeeded():
            _log.info("keystone {url}: answers again", url=self.url)
        return answer

    def useless(self, reason: str, began: float) -> Unavailable:
        """Take note that what was asked at a time was in vain; return what to raise."""
        now = self.clock.seconds()
        _log.warn("keystone {url}: {reason}", url=self.url, reason=reason)
        if self.circuit.failed(began, now, random.random()):
            _log.error("keystone {url}: is left alone for a while", url=self.url)
        return Unavailable(_AWAY)

    def _expired(self, result: Any, seconds: float) -> Any:
        if isinstance(result, Failure):
            raise _Useless(f"no answer within {seconds:g} s")
        return result

    async def _exchange(
        self,
        method: str,
        path: str,
        fine: Collection[int],
        headers: Mapping[str, str],
        body: Any,
    ) -> Answer:
        sent: dict[bytes | str, bytes | str] = {
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        sent.update(headers)
        await self._places.acquire()
        read = bytearray()
        try:
            response = await self.http.request(
                method,
                self.url + path,
                headers=sent,
                data=None if body is None else orjson.dumps(body),
                # Tokens and passwords go nowhere else.
                allow_redirects=False,
            )
            await collect(response, lambda data: _add(read, data))
        except (CancelledError, _Useless):
            raise
        except Exception as failure:
            reason = unanswered(failure)
            if reason is None:
                raise
            raise _Useless(reason) from None
        finally:
            self._places.release()
        if response.code not in fine:
            raise _Useless(f"status {response.code}")
        return Answer(
            response.code,
            _json(bytes(read)),
            _header(response, "X-Subject-Token"),
            _date(_header(response, "Date")),
        )


def policy_failure(text: str) -> Exception:
    """Return what to raise where the file of certificates is of no use."""
    return _Useless(text)


def _add(read: bytearray, data: bytes) -> None:
    if len(read) + len(data) > _BODY_AT_MOST:
        raise _Useless("the answer is too large")
    read.extend(data)


def _json(content: bytes) -> Any:
    """Return what an answer holds: a proxy's page, say, is not Keystone's word."""
    try:
        answer = orjson.loads(content)
    except ValueError:
        raise _Useless("the answer is not JSON") from None
    if not isinstance(answer, dict) or not ("token" in answer or "error" in answer):
        raise _Useless("the answer is not Keystone's")
    return answer


def _header(response: Any, name: str) -> str | None:
    values = response.headers.getRawHeaders(name)
    return values[0] if values else None


def _date(text: str | None) -> float | None:
    try:
        return None if text is None else float(stringToDatetime(text.encode("ascii")))
    except (ValueError, LookupError):
        return None
