"""A connection to a RabbitMQ broker that is there again after each loss."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import define, field, frozen
from pika import ConnectionParameters, PlainCredentials
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf import trust
from snf.bus.settle import delays

_CONNECT_S = 10.0
_PREPARE_S = 30.0
_CLOSE_S = 5.0
_HEARTBEAT_S = 10
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 5.0


@frozen
class Address:
    """Where a broker is and how to get in."""

    endpoint: IStreamClientEndpoint
    parameters: ConnectionParameters = field(repr=False)
    name: str


def address(
    reactor: Any, url: str, password: str | None = None, ca: str | None = None
) -> Address:
    """
    Return the address that a URL names: ``amqp[s]://user@host:port/vhost``.

    :param ca: The certificates, in PEM, one of which must have signed an ``amqps``
        broker's; those of the system when there are none.
    :raises ValueError: There is no host, a port that is none, or no certificate that
        can be read.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "amqps"
    host, port = parts.hostname, parts.port or (5671 if secure else 5672)
    if not host:
        raise ValueError("url: names no host")
    endpoint: IStreamClientEndpoint = HostnameEndpoint(
        reactor, host, port, timeout=_CONNECT_S
    )
    if secure:
        endpoint = wrapClientTLS(trust.verified(host, ca), endpoint)
    parameters = ConnectionParameters(
        host=host,
        port=port,
        virtual_host=unquote(parts.path[1:]) or "/",
        credentials=PlainCredentials(
            unquote(parts.username or "guest"), password or "guest"
        ),
        heartbeat=_HEARTBEAT_S,
    )
    return Address(endpoint, parameters, f"{host}:{port}")


class Lost(Exception):
    """The connection, or a channel of it, has been closed."""


class _Protocol(TwistedProtocolConnection):
    """The adapter's protocol, which tells why it failed."""

    ready: "Deferred[Any] | None"

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # What the broker said as it closed the connection would be forgotten over the
        # transport's clean end.
        said = getattr(self._impl, "_error", None)
        super().connectionLost(reason if said is None else Failure(said))

    def _on_connection_failed(
        self, _connection: object, problem: Exception | None = None
    ) -> None:
        # The original tells how many attempts were made in place of what went wrong.
        ready, self.ready = self.ready, None
        if ready is not None:
            ready.errback(problem or Lost("refused"))


@define(eq=False)
class Connection(Service):
    """
    Keeps a connection to the broker while it runs.

    ``prepare`` opens channels on each new connection and has ``_PREPARE_S`` for it;
    then ``serve`` works with them until it returns or raises, which closes the
    connection: whatever goes wrong, the cure is to begin anew.  ``serve`` has to end
    by itself when its channels are closed, and when the service is stopped.
    One line is logged when the broker is lost and one when it is back.
    """

    _log = Logger()

    clock: IReactorTime
    address: Address
    purpose: str
    prepare: Callable[[TwistedProtocolConnection], Coroutine[Any, Any, None]]
    serve: Callable[[], Awaitable[None]]
    _said: str | None = field(init=False, default=None)
    _waiting: "Deferred[Any] | None" = field(init=False, default=None)
    _ended: "Deferred[None] | None" = field(init=False, default=None)

    def startService(self) -> None:
        super().startService()
        # pika says everything twice; what matters is said here.
        logging.getLogger("pika").addHandler(logging.NullHandler())
        self._ended = Deferred.fromCoroutine(self._run())

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        if self._waiting is not None:
            self._waiting.cancel()
        return self._ended or succeed(None)

    async def _run(self) -> None:
        retries = delays(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        while self.running:
            since = self.clock.seconds()
            try:
                await self._once()
            except Exception as problem:
                self._say(problem)
            if self.clock.seconds() - since > _LONGEST_DELAY_S:
                retries = delays(_FIRST_DELAY_S, _LONGEST_DELAY_S)
            if self.running:
                await self._pause(next(retries))

    async def _once(self) -> None:
        factory = Factory.forProtocol(self._protocol)
        factory.noisy = False
        protocol = await self._wait(self.address.endpoint.connect(factory), None)
        closed = None
        try:
            if protocol.ready is None:
                raise Lost("closed at once")
            await self._wait(protocol.ready, _PREPARE_S)
            prepared = Deferred.fromCoroutine(self.prepare(protocol))
            await self._wait(prepared, _PREPARE_S)
            # Only from here on is it closed in an orderly way: the adapter trips over
            # answers to calls that were given up.
            closed = protocol.closed
            self._said = None
            self._log.info(
                "connected to the broker at {name} to {purpose}",
                name=self.address.name,
                purpose=self.purpose,
            )
            await self.serve()
        finally:
            await self._close(protocol, closed)

    def _protocol(self) -> "_Protocol":
        return _Protocol(self.address.parameters, self.clock)

    async def _wait(self, waiting: "Deferred[Any]", timeout_s: float | None) -> Any:
        """Wait for something that ``stopService`` may cancel."""
        if not self.running:
            waiting.cancel()
        if timeout_s is not None:
            waiting.addTimeout(timeout_s, self.clock)
        self._waiting = waiting
        try:
            return await waiting
        finally:
            self._waiting = None

    async def _pause(self, delay: float) -> None:
        with suppress(CancelledError):
            await self._wait(deferLater(self.clock, delay), None)

    async def _close(
        self, protocol: TwistedProtocolConnection, closed: "Deferred[Any] | None"
    ) -> None:
        try:
            if closed is not None and protocol.is_open:
                protocol.close()
                closed.addTimeout(_CLOSE_S, self.clock)
                await closed
        except Exception as problem:
            self._log.debug("closing failed: {problem}", problem=problem)
        finally:
            if protocol.transport is not None:
                protocol.transport.abortConnection()

    def _say(self, problem: Exception) -> None:
        """Log why there is no connection: once, until the reason changes."""
        if isinstance(problem, CancelledError) or not self.running:
            return
        reason = "no answer in time" if isinstance(problem, TimeoutError) else None
        reason = reason or f"{type(problem).__name__}: {problem}"
        if reason != self._said:
            self._said = reason
            self._log.warn(
                "no connection to the broker at {name} to {purpose}: {reason}",
                name=self.address.name,
                purpose=self.purpose,
                reason=reason,
            )
