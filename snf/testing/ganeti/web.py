"""The simulated cluster's remote API over HTTP, with faults on request."""

from base64 import b64decode
from collections import deque
from collections.abc import Callable
from enum import Enum
from html import escape
from http import HTTPStatus
from typing import Any

import orjson
from attrs import define, field, frozen
from twisted.web.http import datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request


class Fault(Enum):
    """What can go wrong with a request."""

    REFUSE = "the connection is closed before anything is done"
    HANG = "no answer ever comes"
    ERROR = "an internal error, before anything is done"
    AWAY = "luxid does not answer its own remote API"
    LOSE = "it is carried out, and the connection closed before the answer"


@frozen
class _Planned:
    fault: Fault
    method: str | None
    part: str


@define(eq=False)
class Faults:
    """What is to go wrong with the requests to come."""

    _planned: deque[_Planned] = field(init=False, factory=deque)
    always: Fault | None = None

    def next(
        self, fault: Fault, times: int = 1, method: str | None = None, part: str = ""
    ) -> None:
        """Spoil the next requests of a method whose path has a part in it."""
        self._planned.extend([_Planned(fault, method, part)] * times)

    def take(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request."""
        for planned in self._planned:
            if planned.method in (None, method) and planned.part in path:
                self._planned.remove(planned)
                return planned.fault
        return self.always


class Failed(Exception):
    """A request that is answered with an HTTP status other than 200."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@frozen
class Call:
    """A request as the cluster sees it; ``body`` is None when there was none."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    tags: list[str] = field(factory=list)


class Front(Resource):
    """
    Authentication, JSON and faults; ``answer`` does the rest.

    :param answer: Takes a call, returns what becomes JSON, raises ``Failed``.
    """

    isLeaf = True

    def __init__(
        self,
        faults: Faults,
        credentials: str,
        seconds: Callable[[], float],
        answer: Callable[[Call], Any],
    ) -> None:
        super().__init__()
        self._faults = faults
        self._credentials = credentials
        self._seconds = seconds
        self._answer = answer

    def render(self, request: Request) -> bytes | int:
        """Answer a request, or let it go wrong."""
        method, path = request.method.decode("ascii"), request.path.decode("ascii")
        fault = self._faults.take(method, path)
        if fault is Fault.HANG:
            return NOT_DONE_YET
        if fault is Fault.REFUSE:
            request.loseConnection()
            return NOT_DONE_YET
        status, content = self._outcome(request, method, path, fault)
        if fault is Fault.LOSE:
            request.loseConnection()
            return NOT_DONE_YET
        request.setResponseCode(status)
        request.setHeader("Content-Type", "application/json")
        request.setHeader("Date", datetimeToString(self._seconds()))
        request.setHeader("Connection", "close")
        return orjson.dumps(content)

    def _outcome(
        self, request: Request, method: str, path: str, fault: Fault | None
    ) -> tuple[int, Any]:
        try:
            if fault is Fault.ERROR:
                raise Failed(500, "the simulated cluster fails as it was told to")
            if fault is Fault.AWAY:
                raise Failed(504)
            self._authenticate(request)
            return 200, self._answer(
                Call(method, path, _query(request), _body(request), _tags(request))
            )
        except Failed as failure:
            known = HTTPStatus(failure.status)
            return failure.status, {
                "code": failure.status,
                "message": escape(failure.message or known.phrase),
                "explain": known.description,
            }

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = (request.getHeader("Authorization") or "").partition(" ")
        try:
            known = b64decode(given).decode("ascii") == self._credentials
        except ValueError:
            known = False
        if scheme.lower() != "basic" or not known:
            request.setHeader("WWW-Authenticate", 'Basic realm="Ganeti Remote API"')
            raise Failed(401)


def _query(request: Request) -> dict[str, str]:
    return {
        name.decode("utf-8"): values[0].decode("utf-8")
        for name, values in request.args.items()
    }


def _tags(request: Request) -> list[str]:
    return [tag.decode("utf-8") for tag in request.args.get(b"tag", ())]


def _body(request: Request) -> Any:
    content = request.content.read() if request.content else b""
    if not content:
        return None
    if (request.getHeader("Content-Type") or "").lower() != "application/json":
        raise Failed(415)
    try:
        return orjson.loads(content)
    except ValueError:
        raise Failed(400, "Unable to parse JSON data") from None
