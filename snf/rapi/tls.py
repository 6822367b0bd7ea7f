"""The three ways of trusting a cluster's certificate, as policies for an ``Agent``.

Files are read at each new connection, so that a renewed certificate needs no restart;
the system's own certificates are read once.
"""

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from snf import trust
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Unreachable


def policy(endpoint: Endpoint) -> IPolicyForHTTPS:
    """
    Return how connections to an endpoint check whom they talk to.

    Connecting raises ``Unreachable`` where the endpoint's file cannot be used.
    """
    file = endpoint.ca_file
    return {
        # An issuer of the file, and the URL's own host name or address.
        Tls.VERIFY: _Policy(file, trust.verified),
        # A certificate of the file itself.  Ganeti makes a self-signed one of X.509
        # version 1 for ganeti.example.com, the same name on every cluster and no way
        # to put another into it.
        Tls.PINNED: _Policy(file, lambda host, pem: trust.pinned(pem or "")),
        # Anybody: only for a cluster on this very machine, and for tests.
        Tls.OFF: _Policy(None, lambda host, pem: trust.unchecked()),
    }[endpoint.tls]


@implementer(IPolicyForHTTPS)
@frozen
class _Policy:
    """What to make of a host and of what the file holds, which is None without one."""

    file: Path | None
    trusting: Callable[[str, str | None], IOpenSSLClientConnectionCreator]
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
            raise Unreachable(f"{self.file}: {failure.strerror}") from None
        except ValueError as failure:
            raise Unreachable(f"{self.file}: {failure}") from None
