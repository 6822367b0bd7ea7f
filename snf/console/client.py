"""Asks a vncauthproxy, of ours or the original, for a forwarding."""

import json
from typing import Any

from attrs import asdict, define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from snf.console.requests import Request

_LARGEST = 16_384


class NotAnswered(Exception):
    """There is no forwarding; the text says why."""


@frozen
class Forwarded:
    """A port is open.

    :ivar address: Where the proxy says that it is; None where it does not.
    """

    port: int
    address: str | None


async def ask(
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    request: Request,
    timeout_s: float = 60.0,
) -> Forwarded:
    """
    Return the forwarding that was asked for.

    :raises NotAnswered: The proxy cannot be reached, refuses, or makes no sense.
    """
    collecting = _Collecting()
    connecting = connectProtocol(endpoint, collecting)
    connecting.addTimeout(timeout_s, clock)
    try:
        await connecting
        collecting.send(_written(request))
        collecting.whole.addTimeout(timeout_s, clock)
        return _read(await collecting.whole)
    except (ConnectError, OSError, TimeoutError):
        raise NotAnswered("the console proxy cannot be reached") from None
    finally:
        collecting.leave()


def _written(request: Request) -> bytes:
    given = asdict(request)
    given["type"] = given.pop("kind").value
    given["auth_user"] = given.pop("user")
    given["auth_password"] = given.pop("user_password")
    return json.dumps(given).encode()


def _read(data: bytes) -> Forwarded:
    try:
        answer: Any = json.loads(data)
        good = answer["status"] == "OK"
        if good:
            return Forwarded(int(answer["source_port"]), answer.get("proxy_address"))
        reason = str(answer.get("reason") or "it gives no reason")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotAnswered("the console proxy's answer makes no sense") from None
    raise NotAnswered(f"the console proxy refuses: {reason}")


@define(eq=False, slots=False)
class _Collecting(Protocol):
    """Keeps what comes until there is no more."""

    whole: "Deferred[bytes]" = field(factory=Deferred, init=False)
    _came: bytes = field(default=b"", init=False)

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def leave(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        self._came += data
        if len(self._came) > _LARGEST:
            self.leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None
        if not self.whole.called:
            self.whole.callback(self._came)
