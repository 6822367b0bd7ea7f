"""The API, as a node asks it: by requests that it signs itself."""

import random
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from treq import collect
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf import http, trust
from snf.core.circuit import Circuit
from snf.core.signing import SHORTLY_S, Signer
from snf.noded.config import Api as Settings

_log = Logger()

_AT_ONCE = 8
# What waits for a place among those that are under way.
_WAITING_AT_MOST = 200


class Away(Exception):
    """No API answers, or none can be asked now; the text is for the log."""


class _Useless(Exception):
    """This one does not answer; the text says why."""


@frozen
class Answer:
    """What the API answered: a status below 500, and a body."""

    status: int
    body: bytes = field(repr=False)


@define(eq=False)
class Api:
    """
    Asks the API, at one of its URLs after the other, each within ``timeout_s``.

    One that does not answer is left alone for a while.

    :ivar now: Returns the time in seconds since the epoch.
    """

    urls: tuple[str, ...]
    http: http.HttpClient
    signer: Signer
    clock: IReactorTime
    now: Callable[[], float]
    timeout_s: float
    disconnect: Callable[[], Any] | None = None
    _circuits: dict[str, Circuit] = field(init=False)
    _places: DeferredSemaphore = field(init=False)
    _waiting: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._circuits = {url: Circuit(self.timeout_s) for url in self.urls}
        self._places = DeferredSemaphore(_AT_ONCE)

    async def ask(
        self, method: str, path: str, body: bytes | None = None, most: int = 1 << 20
    ) -> Answer:
        """
        Return the API's answer to a request that is signed here.

        :param path: Below the API's root, printable ASCII.
        :param body: JSON, or None.
        :param most: Of how many bytes the answer may be.
        :raises Away: There is none.
        """
        if self._waiting >= _WAITING_AT_MOST:
            raise Away("too many requests wait for the API")
        self._waiting += 1
        try:
            await self._places.acquire()
            try:
                return await self._ask(method, path, body, most)
            finally:
                self._places.release()
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Close the connections that are kept for later."""
        if self.disconnect is not None:
            await self.disconnect()

    async def _ask(
        self, method: str, path: str, body: bytes | None, most: int
    ) -> Answer:
        for url, circuit in self._circuits.items():
            began = self.clock.seconds()
            if not circuit.admits(began):
                continue
            try:
                answer = await Deferred.fromCoroutine(
                    self._exchange(method, url, path, body, most)
                ).addTimeout(self.timeout_s, self.clock, self._expired)
            except _Useless as reason:
                _log.warn("the API at {url}: {reason}", url=url, reason=str(reason))
                if circuit.failed(began, self.clock.seconds(), random.random()):
                    _log.error("the API at {url} is left alone for a while", url=url)
                continue
            if circuit.succeeded():
                _log.info("the API at {url} answers again", url=url)
            return answer
        raise Away("no API answers")

    async def _exchange(
        self, method: str, url: str, path: str, body: bytes | None, most: int
    ) -> Answer:
        query = self.signer.query(method, path, int(self.now()) + SHORTLY_S)
        read = bytearray()
        try:
            response = await self.http.request(
                method,
                f"{url}{path}?{query}",
                headers={"Content-Type": "application/json"},
                data=body,
                allow_redirects=False,
            )
            await collect(
                response, lambda data: read.extend(data[: most + 1 - len(read)])
            )
        except CancelledError:
            raise
        except Exception as failure:
            reason = http.unanswered(failure)
            if reason is None:
                raise
            raise _Useless(reason) from None
        if len(read) > most:
            raise _Useless("the answer is too large")
        if response.code >= 500:
            raise _Useless(f"status {response.code}")
        return Answer(response.code, bytes(read))

    def _expired(self, result: Any, seconds: float) -> Any:
        if isinstance(result, Failure):
            raise _Useless(f"no answer within {seconds:g} s")
        return result


def connect(reactor: Any, settings: Settings, signer: Signer) -> Api:
    """Return the API of the settings.  Nothing is sent yet."""
    policy = http.FilePolicy(settings.ca_file, trust.verified, _Useless)
    pool = http.pooled(reactor, kept=_AT_ONCE, again=True)
    return Api(
        settings.urls,
        http.client(reactor, policy, settings.timeout_s, pool),
        signer,
        reactor,
        reactor.seconds,
        settings.timeout_s,
        pool.closeCachedConnections,
    )
