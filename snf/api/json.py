"""The edge of the HTTP API: JSON in, JSON out, and the one table of refusals.

A route's function is called with a transaction and a :class:`~snf.api.call.Call`, and
returns what to answer; it knows neither HTTP's statuses nor its headers.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial, wraps
from inspect import iscoroutinefunction
from random import Random
from typing import Any
from uuid import UUID

import orjson
from attrs import evolve, frozen
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as NoSuchMethod

from snf.api import given, policy
from snf.api.answer import Afterwards as Afterwards
from snf.api.answer import Answer as Answer
from snf.api.authority import Authority, Lookup
from snf.api.call import Call
from snf.api.compute.versions import Version
from snf.api.dialect import Dialect, header, keystone_fault
from snf.api.files import Sending
from snf.api.paths import told
from snf.api.policy import Reach, Rule
from snf.core import errors
from snf.core.identity import Role
from snf.storage.database import Database, Transaction

_log = Logger()

# The status of every refusal.  What is not here is a bug, and answered with a 500.
CODES: Mapping[type[errors.SnfError], int] = {
    errors.BadRequest: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.QuotaExceeded: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.UnsupportedVersion: 406,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.BadRange: 416,
    errors.TooMany: 429,
    errors.NotOffered: 501,
    errors.Unavailable: 503,
}

_NO_SUCH_URL = "The resource could not be found."

_WHO = "The request you have made requires authentication."


@frozen
class Route:
    """What a method decorated with :func:`route` answers, and to whom.

    :ivar url: Below the noun's own place.
    :ivar since: The microversion from which on there is such a route.
    :ivar until: The last one in which there is.
    :ivar body: The msgspec type of the request's JSON; None where none is read.
    :ivar content_type: What that is sent as.
    """

    method: str
    url: str
    rule: Rule
    code: int
    since: Version | None = None
    until: Version | None = None
    body: Any = None
    content_type: str = given.JSON

    @property
    def role(self) -> Role | None:
        """What the caller must hold in the token's project; None for everybody."""
        return self.rule.role

    @property
    def scoped(self) -> bool:
        """Whether the token must be for a project at all."""
        return self.rule.scoped


def new_app() -> Klein:
    """Return an app whose own refusals are in the service's shape, not in HTML."""
    app = Klein()

    @app.handle_errors(HTTPException)
    def unrouted(self: Any, request: IRequest, failure: Failure) -> bytes:
        return self.edge.unrouted(request, failure.value)

    return app


def route(
    app: Klein,
    method: str,
    url: str,
    *,
    role: Role | None = Role.READER,
    scoped: bool = True,
    reach: Reach | None = None,
    body: Any = None,
    code: int = 200,
    since: Version | None = None,
    until: Version | None = None,
    content_type: str = given.JSON,
) -> Callable[[Callable], Callable]:
    """
    Have a method answer a route: ``f(self, txn, call, **url) -> JSON or Answer``.

    A coroutine is called without a transaction: ``await f(self, call, **url)``.

    :param role: What the caller must hold; None for routes open to everybody.
    :param scoped: Whether the token must be for a project; one for none holds no role.
    :param reach: Whose things may be meant, where it is not just the token's project's
        (or everything, for admins).
    :param body: The msgspec type that the request's JSON must have.
    :param code: The status when it succeeds.
    :param since: The first microversion that has the route.
    :param until: The last one that has it.
    :param content_type: What the request's JSON is sent as.
    """

    rule = policy.rule(role, scoped, reach)
    described = Route(method, url, rule, code, since, until, body, content_type)

    def decorate(function: Callable) -> Callable:
        @app.route(url, methods=[method])
        @wraps(function)
        async def handle(self: Any, request: IRequest, **params: str) -> bytes:
            how = converse if iscoroutinefunction(function) else transact
            work = partial(how, self.edge, partial(function, self), described)
            answer = self.edge.answer(request, work, params, described)
            return await answer

        function.route = described  # type: ignore[attr-defined]
        return function

    return decorate


@frozen
class Edge:
    """What the routes of one service stand on.

    :ivar root: The public URL of the cloud.
    :ivar prefix: Where the service is below it: ``/compute/v2.1``.
    :ivar authority: Whose word on tokens counts.
    """

    clock: IReactorTime
    database: Database
    authority: Authority
    root: str
    prefix: str
    dialect: Dialect

    async def answer(
        self,
        request: IRequest,
        work: Callable[..., Awaitable[Any]],
        params: Mapping[str, str],
        described: Route,
    ) -> bytes:
        """Answer a request with what ``work`` makes of it, or with a refusal."""
        request_id = begin(request)
        version: Version | None = None
        try:
            version = self.dialect.version(request)
            self.dialect.check(version)
            if (
                described.rule.role is not None
                and header(request, "X-Auth-Token") is None
            ):
                raise errors.Unauthorized(_WHO)
            call = self._call(request, request_id, version, described)
            result = await work(call, **params)
        except errors.SnfError as refusal:
            return self.refuse(request, refusal)
        except CancelledError:
            raise  # the client hung up: there is nobody to answer
        except Exception:
            return self.broken(request, Failure())
        return await self._success(request, version, described.code, result)

    def refuse(self, request: IRequest, refusal: errors.SnfError) -> bytes:
        """Answer with a refusal."""
        code = next(CODES[kind] for kind in type(refusal).__mro__ if kind in CODES)
        kind = type(refusal).__name__
        wait_s = getattr(refusal, "wait_s", None)
        if wait_s is not None:
            request.setHeader("Retry-After", str(wait_s))
        return self._fault(request, code, kind, str(refusal))

    def broken(self, request: IRequest, failure: Failure) -> bytes:
        """Log a failure that is a bug of ours, and answer without its detail."""
        request_id = begin(request)
        _log.failure(
            "bug while answering {method} {path} ({request_id})",
            failure,
            method=request.method,
            path=told(request.path),
            request_id=request_id,
        )
        message = f"{_BUG} Its incident is {request_id}."
        return self._fault(request, 500, "InternalError", message)

    def unrouted(self, request: IRequest, failure: HTTPException) -> bytes:
        """Answer for a URL or method for which there is no route."""
        if isinstance(failure, NoSuchMethod):
            allowed = ", ".join(sorted(failure.valid_methods or ()))
            request.setHeader("Allow", allowed)
            return self.refuse(
                request, errors.MethodNotAllowed(f"Allowed here: {allowed}")
            )
        return self.missing(request)

    def missing(self, request: IRequest) -> bytes:
        """Answer for a URL that there is not."""
        return self.refuse(request, errors.NoSuchPlace(_NO_SUCH_URL))

    def _call(
        self, request: IRequest, request_id: str, version: Version, described: Route
    ) -> Call:
        project: str = getattr(request, "project", "")
        return Call(
            request_id=request_id,
            root=self.root,
            base=f"{self.root}{self.prefix}/{project}".rstrip("/"),
            now=datetime.fromtimestamp(self.clock.seconds(), UTC),
            address=getattr(request, "origin", ""),
            version=version,
            arguments=given.arguments(request),
            body=None
            if described.body is None
            else given.body(request, described.body, described.content_type),
            token=header(request, "X-Auth-Token"),
            subject=header(request, "X-Subject-Token"),
            repeat_key=header(request, "X-Idempotency-Key"),
            byte_range=header(request, "Range"),
            stream=getattr(request, "stream", None),
            place=UUID(project) if project else None,
        )

    async def _success(
        self, request: IRequest, version: Version, code: int, result: Any
    ) -> bytes:
        answer = result if isinstance(result, Answer) else Answer(result)
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        if isinstance(answer.body, Sending):
            self._begin_answer(request, version, answer.code or code)
            if request.method == b"HEAD":
                answer.body.close()
            else:
                await answer.body.to(request)
            return b""
        return self._write(request, version, answer.code or code, answer.body)

    def _fault(self, request: IRequest, code: int, kind: str, message: str) -> bytes:
        try:
            version: Version | None = self.dialect.version(request)
        except errors.BadRequest:
            version = None
        if code == 401:
            request.setHeader(
                "WWW-Authenticate", f'Keystone uri="{self.authority.uri}"'
            )
            return self._write(request, version, 401, keystone_fault(401, message))
        fault = self.dialect.fault(code, kind, message)
        return self._write(request, version, code, fault)

    def _write(
        self, request: IRequest, version: Version | None, code: int, body: Any
    ) -> bytes:
        self._begin_answer(request, version, code)
        written = b""
        if body is not None:
            request.setHeader("Content-Type", "application/json")
            written = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        if code not in _BODILESS:
            request.setHeader("Content-Length", str(len(written)))
        return written if request.method != b"HEAD" else b""

    def _begin_answer(
        self, request: IRequest, version: Version | None, code: int
    ) -> None:
        request.setResponseCode(code)
        for name, value in self.dialect.headers(version, begin(request)).items():
            request.setHeader(name, value)
        request.setHeader("Server", "Cyclades")


# RFC 9110, section 8.6: these say nothing of a length.
_BODILESS = frozenset({204, 304})

_BUG = "The server could not do this because of an error of its own."


# Of ids that are no secret: the system's own costs a system call, and the turn with it.
_random = Random()


def begin(request: IRequest) -> str:
    """Return the id of a request, which is given to it when it is first asked for."""
    request_id = getattr(request, "snf_id", None)
    if request_id is None:
        request_id = f"req-{UUID(int=_random.getrandbits(128), version=4)}"
        request.snf_id = request_id  # type: ignore[attr-defined]
    return request_id


async def transact(
    edge: Edge,
    work: Callable[..., Any],
    described: Route,
    call: Call,
    **params: str,
) -> Any:
    """Identify the caller and do the work, in one transaction."""
    known = await _known(edge, described, call)
    done = await edge.database.run(
        lambda txn: work(txn, identify(txn, call, described, params, known), **params)
    )
    return await done.work() if isinstance(done, Afterwards) else done


async def converse(
    edge: Edge,
    work: Callable[..., Awaitable[Any]],
    described: Route,
    call: Call,
    **params: str,
) -> Any:
    """Identify the caller, then let a coroutine do the work."""
    if described.rule.role is not None:
        known = await _known(edge, described, call)
        call = await edge.database.run(identify, call, described, params, known)
    return await work(call, **params)


async def _known(edge: Edge, described: Route, call: Call) -> Lookup:
    """Return what tells in the transaction who calls; nobody where all may."""
    if described.rule.role is None:
        return lambda txn: None
    return await edge.authority.look(call)


def identify(
    txn: Transaction,
    call: Call,
    described: Route,
    url: Mapping[str, str],
    known: Lookup,
) -> Call:
    """
    Return a call with what its token stands for.

    :param url: What the route's URL names.
    :param known: Tells it.
    :raises Unauthorized: There is no token, or it is not valid (any more).
    :raises Forbidden: It is not good for this; see :func:`snf.api.policy.check`.
    :raises NotFound: There is no such route in this microversion.
    :raises BadRequest: The URL names another project (nova/api/openstack/wsgi.py).
    """
    if described.rule.role is None:
        return call
    grant = known(txn)
    if grant is None:
        raise errors.Unauthorized(_WHO)
    policy.check(txn, described.rule, grant, url)
    if (described.since and not call.since(described.since)) or (
        described.until and call.version > described.until
    ):
        raise errors.NotFound(_NO_SUCH_URL)
    if call.place not in (None, grant.project_id):
        raise errors.BadRequest(
            f"Malformed request URL: URL's project_id '{call.place}' doesn't match "
            f"Context's project_id '{grant.project_id}'"
        )
    return evolve(call, known=grant)
