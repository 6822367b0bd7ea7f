"""The three ways of trusting a cluster's certificate, as policies for an ``Agent``.

Files are read at each new connection, so that a renewed certificate needs no restart.
"""

import re
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import (
    DNS_ID,
    IPAddress_ID,
    ServiceID,
    verify_service_identity,
)
from service_identity.pyopenssl import extract_patterns
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Unreachable

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def policy(endpoint: Endpoint) -> IPolicyForHTTPS:
    """
    Return how connections to an endpoint check whom they talk to.

    Connecting raises ``Unreachable`` where the endpoint's file cannot be used.
    """
    if endpoint.tls is Tls.OFF:
        return _Unchecked()
    if endpoint.tls is Tls.PINNED:
        assert endpoint.ca_file is not None  # Endpoint sees to that
        return _Pinned(endpoint.ca_file)
    return _Verified(endpoint.ca_file)


@implementer(IPolicyForHTTPS)
@frozen
class _Verified:
    """An issuer of the file, and the URL's own host name or address."""

    ca_file: Path | None

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        name = hostname.decode("ascii")
        identity = _identity(name)
        return _Connections(
            lambda certificate, good: good and _is_for(certificate, identity),
            trust=self._roots(),
            server_name=name if isinstance(identity, DNS_ID) else None,
        )

    def _roots(self) -> Any:
        if self.ca_file is None:
            return platformTrust()
        try:
            return trustRootFromCertificates(
                [
                    Certificate.loadPEM(block.encode("ascii"))
                    for block in _blocks(self.ca_file)
                ]
            )
        except crypto.Error:
            raise _unusable(self.ca_file) from None


@implementer(IPolicyForHTTPS)
@frozen
class _Pinned:
    """
    A certificate of the file itself; its names, dates and issuer do not matter.

    Ganeti makes a self-signed one of X.509 version 1 for ganeti.example.com, the same
    name on every cluster and no way to put another into it.
    """

    file: Path

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        try:
            known = frozenset(map(ssl.PEM_cert_to_DER_cert, _blocks(self.file)))
        except ValueError:
            raise _unusable(self.file) from None
        return _Connections(lambda certificate, good: _der(certificate) in known)


@implementer(IPolicyForHTTPS)
@frozen
class _Unchecked:
    """Anybody: only for a cluster on this very machine, and for tests."""

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        return _Connections(lambda certificate, good: True)


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Connections:
    """
    Makes TLS connections to servers whose certificate is accepted.

    Twisted's own ``optionsForClientTLS`` is not used: as of 26.10 it lets a certificate
    without any subjectAltName pass for every host name, because the exception which
    that raises is only logged.

    :param accepts: Called with the server's own certificate and whether OpenSSL is
        content with it and its issuers.
    """

    accepts: Callable[[crypto.X509, bool], bool]
    trust: Any = None
    server_name: str | None = None

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        options = CertificateOptions(
            trustRoot=self.trust, raiseMinimumTo=TLSVersion.TLSv1_2
        )
        context = options.getContext()
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify
        )
        connection = SSL.Connection(context, None)
        if self.server_name is not None:
            connection.set_tlsext_host_name(self.server_name.encode("ascii"))
        return connection

    def _verify(
        self,
        connection: SSL.Connection,
        certificate: crypto.X509,
        error: int,
        depth: int,
        good: int,
    ) -> bool:
        """Say whether to go on; called for each finding, at least once at depth 0."""
        if depth > 0:
            # Without a trust root the issuers have no say.
            return bool(good) or self.trust is None
        return self.accepts(certificate, bool(good))


def _identity(host: str) -> ServiceID:
    try:
        return IPAddress_ID(str(ip_address(host)))
    except ValueError:
        return DNS_ID(host)


def _is_for(certificate: crypto.X509, identity: ServiceID) -> bool:
    try:
        verify_service_identity(extract_patterns(certificate), [identity], [])
    except (VerificationError, CertificateError, ValueError):
        return False
    return True


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _blocks(path: Path) -> list[str]:
    try:
        blocks = _PEM.findall(path.read_text("ascii", errors="ignore"))
    except OSError as failure:
        raise Unreachable(f"{path}: {failure.strerror}") from None
    if not blocks:
        raise _unusable(path)
    return blocks


def _unusable(path: Path) -> Unreachable:
    return Unreachable(f"{path}: holds no certificate that can be read")
