"""What our clients of HTTP servers have in common: connections, trust, and why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen
from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.web._newclient import ParseError
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    _HTTP11ClientFactory,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer


class HttpClient(Protocol):
    """What is used of ``treq``; ``treq.testing.StubTreq`` will do."""

    def request(
        self,
        method: str,
        url: str,
        /,
        *,
        headers: dict[bytes | str, bytes | str],
        data: bytes | None,
        allow_redirects: bool,
    ) -> Deferred[Any]:
        """Return the response when its head has come."""


class _QuietFactory(_HTTP11ClientFactory):
    """What makes the pool's connections, without two lines in the log for each."""

    noisy = False


def pooled(reactor: Any, kept: int, again: bool) -> HTTPConnectionPool:
    """
    Return a pool that keeps some connections to each host for later.

    :param again: Whether to ask again by itself, for all but a POST, when a kept
        connection turns out to be closed.
    """
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = kept
    pool.retryAutomatically = again
    pool._factory = _QuietFactory
    return pool


def client(
    reactor: Any,
    policy: IPolicyForHTTPS,
    connect_timeout_s: float,
    pool: HTTPConnectionPool,
) -> HTTPClient:
    """Return a client over a pool that trusts as a policy says."""
    agent = Agent(reactor, policy, connectTimeout=connect_timeout_s, pool=pool)
    return HTTPClient(agent)


@implementer(IPolicyForHTTPS)
@frozen
class FilePolicy:
    """
    Makes of a host, and of what a file holds, how to check that host's certificate.

    The file is read at each new connection, so that a renewed certificate needs no
    restart; without a file the system's own certificates are read once.

    :ivar trusting: Is given the host and the file's text, which is None without one.
    :ivar unusable: Makes of a sentence the exception to raise when the file is of no use.
    """

    file: Path | None
    trusting: Callable[[str, str | None], IOpenSSLClientConnectionCreator]
    unusable: Callable[[str], Exception]
    _kept: dict[bytes, IOpenSSLClientConnectionCreator] = field(
        init=False, factory=dict
    )

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        try:
            if self.file is not None:
                pem = self.file.read_text("ascii", errors="ignore")
                return self.trusting(hostname.decode("ascii"), pem)
            if hostname not in self._kept:
                self._kept[hostname] = self.trusting(hostname.decode("ascii"), None)
            return self._kept[hostname]
        except OSError as failure:
            raise self.unusable(f"{self.file}: {failure.strerror}") from None
        except ValueError as failure:
            raise self.unusable(f"{self.file}: {failure}") from None


def unanswered(failure: BaseException) -> str | None:
    """
    Return why there was no answer; None when the exception is not of the network.

    :raises CancelledError: Whoever waits for the answer gave it up.
    """
    cause = _cause(failure)
    if isinstance(cause, CancelledError | error.ConnectingCancelledError):
        raise CancelledError
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {_openssl(cause)}"
    for kind, text in _REASONS.items():
        if isinstance(cause, kind):
            return text
    return None


# The first that fits; one that wraps others comes after what it may be.
_REASONS: dict[type[BaseException], str] = {
    VerificationError: "its certificate is for another name",
    error.ConnectionRefusedError: "connection refused",
    error.TimeoutError: "no connection in time",
    error.DNSLookupError: "there is no such host",
    error.NoRouteError: "no route to host",
    error.ConnectError: "no connection",
    ParseError: "what answers does not speak HTTP",
    error.ConnectionClosed: "the connection was closed before the answer",
    ResponseFailed: "the connection was closed before the answer",
    RequestTransmissionFailed: "the connection was closed before the request",
    RequestNotSent: "the connection was closed before the request",
}


def _cause(failure: BaseException) -> BaseException:
    """Return what an exception of Twisted's HTTP client stands for."""
    reasons = getattr(failure, "reasons", None)
    return _cause(reasons[0].value) if reasons else failure


def _openssl(failure: SSL.Error) -> str:
    """Return OpenSSL's reasons: ``certificate verify failed``."""
    try:
        return ", ".join(reason for _, _, reason in failure.args[0]) or "no reason"
    except (IndexError, TypeError, ValueError):
        return "connection closed"
