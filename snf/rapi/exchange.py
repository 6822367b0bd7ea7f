"""One request to a cluster's remote API and its answer, or why there is none."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import stringToDatetime

from snf.http import HttpClient, unanswered
from snf.rapi.endpoint import Endpoint
from snf.rapi.errors import RapiError, Trouble, Unreachable
from snf.rapi.faults import refusal
from snf.rapi.orders import Request

# Ganeti forks for every request, and answers none of them sooner for having more.
_AT_ONCE = 10


@frozen
class Answer:
    """
    A good answer.

    ``content`` is its JSON; ``date`` when it was made, in whole seconds since the epoch
    on the master's clock; ``took`` the seconds from asking to its end.
    """

    content: Any
    date: float | None
    took: float


@define(eq=False)
class Exchange:
    """Requests to one endpoint, a few at a time and each within ``timeout_s`` seconds."""

    endpoint: Endpoint
    http: HttpClient
    clock: IReactorTime
    timeout_s: float
    _places: DeferredSemaphore = field(
        init=False, factory=lambda: DeferredSemaphore(_AT_ONCE)
    )

    async def ask(self, request: Request) -> Answer:
        """
        Make a request and return its answer.

        The time limit holds for all of it, the wait for a free place included.

        :raises RapiError: One of its kinds (``snf.rapi.errors``), and nothing else.
        """
        began = self.clock.seconds()
        status, date, content = await Deferred.fromCoroutine(
            self._exchange(request)
        ).addTimeout(self.timeout_s, self.clock, self._expired)
        if status != 200:
            raise refusal(
                self.says(f"{request.method} {request.path}"), status, content
            )
        try:
            answer = orjson.loads(content)
        except ValueError:
            raise self.trouble("the answer is not JSON") from None
        return Answer(answer, date, self.clock.seconds() - began)

    def says(self, text: str) -> str:
        """Return a text with the cluster in front."""
        return f"cluster {self.endpoint.cluster} ({self.endpoint.url}): {text}"

    def trouble(self, text: str) -> Trouble:
        """Return the error for an answer that is of no use."""
        return Trouble(self.says(text))

    def _expired(self, result: Any, seconds: float) -> Any:
        if isinstance(result, Failure):
            raise Unreachable(self.says(f"no answer within {seconds:g} s"))
        return result

    async def _exchange(self, request: Request) -> tuple[int, float | None, bytes]:
        await self._places.acquire()
        try:
            response = await self.http.request(
                request.method,
                self._url(request),
                headers=self._headers(),
                data=None if request.body is None else orjson.dumps(request.body),
                # Credentials go nowhere else.
                allow_redirects=False,
            )
            content = await response.content()
        except (CancelledError, RapiError):
            raise
        except Exception as failure:
            reason = unanswered(failure)
            if reason is None:
                raise
            raise Unreachable(self.says(reason)) from None
        finally:
            self._places.release()
        return response.code, _date(response.headers.getRawHeaders("Date")), content

    def _url(self, request: Request) -> str:
        url = self.endpoint.url.rstrip("/") + request.path
        return f"{url}?{urlencode(request.query)}" if request.query else url

    def _headers(self) -> dict[bytes | str, bytes | str]:
        credentials = f"{self.endpoint.user}:{self.endpoint.password}".encode("ascii")
        return {
            "Authorization": f"Basic {b64encode(credentials).decode('ascii')}",
            "Accept": "application/json",
            # Ganeti takes exactly this, without a charset.
            "Content-Type": "application/json",
        }


def _date(headers: Sequence[str] | None) -> float | None:
    if not headers:
        return None
    try:
        return float(stringToDatetime(headers[0].encode("ascii")))
    except (ValueError, LookupError):
        return None
