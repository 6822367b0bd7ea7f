"""TLS to a server: whom a certificate is taken for.

Twisted's own ``optionsForClientTLS`` is not used: as of 26.10 it lets a certificate
without any subjectAltName pass for every host name, because the exception which that
raises is only logged.
"""

import re
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from attrs import Factory, field, frozen
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
from zope.interface import implementer

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def verified(host: str, authorities: str | None) -> IOpenSSLClientConnectionCreator:
    """
    Return what connects to a server that can prove to be ``host``.

    :param host: Its name or address, for which the certificate must have been made.
    :param authorities: In PEM, the certificates of which one must have issued it; the
        system's when None.
    :raises ValueError: ``authorities`` holds no certificate that can be read.
    """
    identity = _identity(host)
    return _Connections(
        lambda certificate, good: good and _is_for(certificate, identity),
        trust=platformTrust() if authorities is None else _roots(authorities),
        server_name=host if isinstance(identity, DNS_ID) else None,
    )


def pinned(certificates: str) -> IOpenSSLClientConnectionCreator:
    """
    Return what connects to a server that has one of these very certificates, in PEM.

    Their names, dates and issuers do not matter.

    :raises ValueError: There is none that can be read.
    """
    known = frozenset(map(ssl.PEM_cert_to_DER_cert, _blocks(certificates)))
    return _Connections(lambda certificate, good: _der(certificate) in known)


def unchecked() -> IOpenSSLClientConnectionCreator:
    """Return what connects to anybody."""
    return _Connections(lambda certificate, good: True)


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Connections:
    """
    Makes TLS connections to servers whose certificate is accepted.

    :param accepts: Called with the server's own certificate and whether OpenSSL is
        content with it and its issuers.
    """

    accepts: Callable[[crypto.X509, bool], bool]
    trust: Any = None
    server_name: str | None = None
    # Made once: to read the system's certificates takes 12 ms.
    _context: SSL.Context = field(
        init=False, default=Factory(lambda self: self._new_context(), takes_self=True)
    )

    def _new_context(self) -> SSL.Context:
        options = CertificateOptions(
            trustRoot=self.trust, raiseMinimumTo=TLSVersion.TLSv1_2
        )
        context = options.getContext()
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify
        )
        return context

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
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


def _roots(pem: str) -> Any:
    try:
        return trustRootFromCertificates(
            [Certificate.loadPEM(block.encode("ascii")) for block in _blocks(pem)]
        )
    except crypto.Error:
        raise ValueError("a certificate cannot be read") from None


def _blocks(pem: str) -> list[str]:
    blocks = _PEM.findall(pem)
    if not blocks:
        raise ValueError("there is no certificate in it")
    return blocks
