"""The metadata service: what each guest is told, by the tap that it asks through."""

import os
import socket
from ipaddress import IPv4Address
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from snf.core.guest_metadata import PASSWORD_AT_MOST
from snf.noded import paths
from snf.noded.api import Away
from snf.noded.bounds import Bounded, OneRequest
from snf.noded.door import Quiet
from snf.noded.guest import Known
from snf.noded.parts import Parts
from snf.noded.taps import Taps
from snf.noded.told import Told

_log = Logger()

ADDRESS = "169.254.169.254"
PORT = 80

# Of a tap's number, as ganeti/network/metadata.py makes an address of it.
_INSIDE = int(IPv4Address("240.0.0.0"))

_IDLE_S = 10.0
_BACKLOG = 512
_IP_TRANSPARENT = 19  # linux/in.h


@frozen
class Reply:
    """What a guest is answered."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"


@frozen
class Answers:
    """What guests are answered, whatever they ask."""

    taps: Taps
    told: Told

    async def of(self, peer: str, method: bytes, path: bytes, body: bytes) -> Reply:
        """Return the answer to one request of a guest's."""
        number = int(IPv4Address(peer)) - _INSIDE
        tap = self.taps.of(number) if number > 0 else None
        if tap is None:
            _log.debug("a tap that is not known asks: number {number}", number=number)
            return Reply(404)
        try:
            text = path.decode("ascii")
        except UnicodeDecodeError:
            return Reply(404)
        try:
            if method == b"POST":
                return await self._post(tap.instance, text, body)
            if method not in (b"GET", b"HEAD"):
                return Reply(405)
            known = await self.told.of(tap.instance)
        except Away:
            return Reply(503)
        return Reply(404) if known is None else _found(known, text)

    async def _post(self, instance: str, path: str, body: bytes) -> Reply:
        if not paths.is_password(path):
            return Reply(405)
        # What the owner's client is to decrypt is base64, and that of a small number.
        if not body or len(body) > PASSWORD_AT_MOST or not _is_plain(body):
            return Reply(400)
        first = await self.told.tell(instance, body.decode("ascii"))
        return Reply(200 if first else 409)


def _is_plain(body: bytes) -> bool:
    return all(0x20 <= octet < 0x7F or octet in b"\r\n" for octet in body)


def _found(known: Known, path: str) -> Reply:
    content = paths.found(known, path)
    if content is None:
        return Reply(404)
    kind = "application/json" if path.rstrip("/").endswith(".json") else "text/plain"
    return Reply(200, content, kind)


class Page(Resource):
    """Every path there is."""

    isLeaf = True

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def render(self, request: Request) -> int:
        """See ``Resource``."""
        host = request.getClientAddress().host
        path = request.uri.partition(b"?")[0]
        body = b"" if request.content is None else request.content.read()
        work = Deferred.fromCoroutine(
            self._answers.of(host, request.method, path, body)
        )
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addCallbacks(_write, _fail, (request,), errbackArgs=(request,))
        return NOT_DONE_YET


def _write(reply: Reply, request: Request) -> None:
    request.setResponseCode(reply.status)
    headers = request.responseHeaders
    headers.setRawHeaders("Content-Type", [f"{reply.kind}; charset=utf-8"])
    headers.setRawHeaders("Content-Length", [str(len(reply.body))])
    headers.setRawHeaders("Connection", ["close"])
    if reply.status == 503:
        headers.setRawHeaders("Retry-After", ["5"])
    if request.method != b"HEAD":
        request.write(reply.body)
    request.finish()


def _fail(failure: Any, request: Request) -> None:
    if failure.check(CancelledError) is None:
        _log.failure("a guest's request failed", failure)
        _write(Reply(500), request)


def page(answers: Answers, reactor: Any) -> IProtocolFactory:
    """Return what talks HTTP with guests."""
    site = Quiet(Page(answers), requestFactory=OneRequest, timeout=_IDLE_S)
    return Bounded(site, reactor)


@define(eq=False)
class Metadata(MultiService):
    """The service, on the address that guests know, of a node that has it nowhere else."""

    reactor: Any
    factory: IProtocolFactory
    _port: IListeningPort | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        MultiService.__init__(self)

    def privilegedStartService(self) -> None:
        """Listen, as only root may."""
        super().privilegedStartService()
        try:
            with socket.socket() as listening:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                # The address is nobody's: see ganeti/network/metadata.py.
                listening.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
                listening.bind((ADDRESS, PORT))
                listening.listen(_BACKLOG)
                listening.setblocking(False)
                self._port = self.reactor.adoptStreamPort(
                    listening.fileno(), socket.AF_INET, self.factory
                )
        except OSError as problem:
            raise SystemExit(
                f"snf-noded: cannot listen at {ADDRESS} port {PORT}: {problem.strerror}"
            ) from None

    def stopService(self) -> Any:
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
        return super().stopService()


def make(parts: Parts) -> Metadata:
    """Return the service of the settings."""
    settings = parts.settings.metadata
    taps = Taps(parts.reactor, settings.directory)
    told = Told(
        parts.api,
        parts.reactor,
        settings.instance_prefix,
        settings.cache_s,
        os.urandom,
    )
    service = Metadata(parts.reactor, page(Answers(taps, told), parts.reactor))
    taps.setServiceParent(service)
    return service
