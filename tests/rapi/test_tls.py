"""Whom the client believes to be the cluster, over real TLS on the loopback."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.internet.tcp import Client, Server
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.server import Site

from snf.rapi.client import connect
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Unreachable
from snf.rapi.tls import policy
from snf.testing.ganeti import FakeGaneti

PASSWORD = "hunter2"
LOCALHOST = (x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))


@frozen
class Certificate:
    """A certificate with its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def issue(
    names: tuple[x509.GeneralName, ...] = (),
    issuer: Certificate | None = None,
    days: int = 10,
    ca: bool = False,
) -> Certificate:
    """Make a certificate for some names; without an issuer it is its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(
                x509.NameOID.COMMON_NAME, f"ca {uuid4()}" if ca else "ganeti"
            )
        ]
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Certificate(key, signed)


class Plain(Protocol):
    """Says something that is not TLS."""

    def connectionMade(self) -> None:
        self.transport.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        self.transport.loseConnection()


class OftenTests(SynchronousTestCase):
    """Ganeti closes each connection, so that each request makes a new one."""

    def test_system(self) -> None:
        """The system's certificates are read for the first one only."""
        of = policy(Endpoint("c", "https://ganeti.test:5080", "u", "p"))
        first, again, other = (
            of.creatorForNetloc(host, 5080)
            for host in (b"a.test", b"a.test", b"b.test")
        )
        self.assertIs(first, again)
        self.assertIsNot(first, other)
        one, two = (first.clientConnectionForTLS(None) for _ in range(2))
        self.assertIsNot(one, two)
        self.assertIs(one.get_context(), two.get_context())


class TlsTests(TestCase):
    """The three modes, each against servers it should and should not believe."""

    timeout = 60

    def serve(self, shown: Certificate, *chain: Certificate) -> int:
        """Serve a simulated cluster with a certificate; return the port."""
        options = CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(shown.key),
            certificate=crypto.X509.from_cryptography(shown.certificate),
            extraCertChain=[
                crypto.X509.from_cryptography(c.certificate) for c in chain
            ],
        )
        return self.listen(options)

    def listen(self, options: CertificateOptions) -> int:
        fake = FakeGaneti(Clock(), user="us", password=PASSWORD)
        port = reactor.listenSSL(
            0, Site(fake.resource()), options, interface="127.0.0.1"
        )
        self.addCleanup(self.quiet)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    async def quiet(self) -> None:
        """Wait until no connection is left."""
        for _ in range(200):
            if not any(
                isinstance(reader, Client | Server) for reader in reactor.getReaders()
            ):
                return
            await deferLater(reactor, 0.02)

    def file(self, *parts: bytes) -> Path:
        path = Path(self.mktemp())
        path.write_bytes(b"".join(parts))
        return path

    async def ask(
        self, port: int, tls: Tls, ca_file: Path | None, host: str = "127.0.0.1"
    ) -> str:
        endpoint = Endpoint(
            "one", f"https://{host}:{port}", "us", PASSWORD, tls, ca_file
        )
        rapi = connect(reactor, endpoint, timeout_s=20)
        try:
            return (await rapi.info()).name
        finally:
            await rapi.close()

    async def believes(self, *asked: object, **more: object) -> None:
        self.assertEqual("ganeti.test", await self.ask(*asked, **more))

    async def doubts(self, *asked: object, **more: object) -> str:
        with self.assertRaises(Unreachable) as caught:
            await self.ask(*asked, **more)
        self.assertNotIn(PASSWORD, str(caught.exception))
        return str(caught.exception)

    async def test_verified(self) -> None:
        """An issuer in the file vouches for the address and the name of the URL."""
        ca = issue(ca=True)
        port = self.serve(issue(LOCALHOST, ca))
        trusted = self.file(issue(ca=True).pem, ca.pem)
        await self.believes(port, Tls.VERIFY, trusted)
        await self.believes(port, Tls.VERIFY, trusted, host="localhost")

    async def test_verified_self_signed(self) -> None:
        """A certificate that names the server may be its own issuer."""
        own = issue(LOCALHOST)
        await self.believes(self.serve(own), Tls.VERIFY, self.file(own.pem))

    async def test_other_name(self) -> None:
        """A trusted issuer's certificate for somebody else is not believed."""
        ca = issue(ca=True)
        names = (x509.DNSName("ganeti.example.org"), x509.IPAddress(ip_address("::1")))
        port = self.serve(issue(names, ca))
        for host in ("127.0.0.1", "localhost"):
            text = await self.doubts(port, Tls.VERIFY, self.file(ca.pem), host=host)
            self.assertIn("certificate verify failed", text)

    async def test_no_name(self) -> None:
        """Nor is one for nobody in particular."""
        ca = issue(ca=True)
        port = self.serve(issue((), ca))
        for host in ("127.0.0.1", "localhost"):
            await self.doubts(port, Tls.VERIFY, self.file(ca.pem), host=host)

    async def test_other_issuer(self) -> None:
        """An issuer that is not in the file, or in no file, does not count."""
        port = self.serve(issue(LOCALHOST, issue(ca=True)))
        await self.doubts(port, Tls.VERIFY, self.file(issue(ca=True).pem))
        await self.doubts(port, Tls.VERIFY, None)

    async def test_expired(self) -> None:
        """An issuer's word ends with the certificate."""
        ca = issue(ca=True)
        port = self.serve(issue(LOCALHOST, ca, days=-1))
        await self.doubts(port, Tls.VERIFY, self.file(ca.pem))

    async def test_pinned(self) -> None:
        """A certificate in the file is believed whatever it says, others are not."""
        shown = issue(days=-1)
        port = self.serve(shown)
        await self.believes(port, Tls.PINNED, self.file(issue().pem, shown.pem))
        await self.doubts(port, Tls.PINNED, self.file(issue(LOCALHOST).pem))

    async def test_pinned_is_no_issuer(self) -> None:
        """What a pinned certificate's owner, or anybody in its name, issues is not it."""
        pinned = issue(ca=True)
        port = self.serve(issue(LOCALHOST, pinned), pinned)
        await self.doubts(port, Tls.PINNED, self.file(pinned.pem))
        forged = self.serve(issue(LOCALHOST), pinned)
        await self.doubts(forged, Tls.PINNED, self.file(pinned.pem))

    async def test_pinned_as_ganeti_makes_them(self) -> None:
        """X.509 version 1 with a name that is nobody's: what every cluster begins with."""
        port, certificate = self.stock()
        await self.believes(port, Tls.PINNED, certificate)
        await self.doubts(port, Tls.VERIFY, certificate)

    async def test_off(self) -> None:
        """Without a check anybody is believed."""
        await self.believes(self.serve(issue(days=-1)), Tls.OFF, None)

    async def test_bad_file(self) -> None:
        """A file that cannot be used is named, and is only looked at when needed."""
        port = self.serve(issue(LOCALHOST))
        broken = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
        for path in (Path("/nonexistent"), self.file(b""), self.file(broken)):
            for tls in (Tls.VERIFY, Tls.PINNED):
                self.assertIn(str(path), await self.doubts(port, tls, path))

    async def test_nobody(self) -> None:
        """A port where nobody listens does not answer."""
        listening = reactor.listenTCP(0, Site(None), interface="127.0.0.1")
        port = listening.getHost().port
        await listening.stopListening()
        self.assertIn("connection refused", await self.doubts(port, Tls.OFF, None))

    async def test_no_tls(self) -> None:
        """A server that speaks no TLS is not spoken to."""
        factory = Factory.forProtocol(Plain)
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.quiet)
        self.addCleanup(listening.stopListening)
        text = await self.doubts(listening.getHost().port, Tls.OFF, None)
        self.assertIn("TLS failed", text)

    def stock(self) -> tuple[int, Path]:
        """Serve with a certificate like Ganeti's; return the port and its file."""
        # As Ganeti does, and not with the program openssl, which has come to make v3.
        private = crypto.PKey()
        private.generate_key(crypto.TYPE_RSA, 2048)
        certificate = crypto.X509()
        certificate.get_subject().CN = "ganeti.example.com"
        certificate.set_issuer(certificate.get_subject())
        certificate.gmtime_adj_notBefore(0)
        certificate.gmtime_adj_notAfter(1825 * 86400)
        certificate.set_serial_number(1)
        certificate.set_pubkey(private)
        certificate.sign(private, "sha256")
        self.assertEqual(x509.Version.v1, certificate.to_cryptography().version)
        options = CertificateOptions(privateKey=private, certificate=certificate)
        pem = crypto.dump_certificate(crypto.FILETYPE_PEM, certificate)
        return self.listen(options), self.file(pem)


class EndpointTests(SynchronousTestCase):
    """What an endpoint may be."""

    def test_secret(self) -> None:
        """The password shows nowhere but where it is used."""
        self.assertNotIn(PASSWORD, repr(Endpoint("one", "https://x", "us", PASSWORD)))

    def test_senseless(self) -> None:
        """What makes no sense is said at once, and without the password."""
        for url, user, tls, ca_file in (
            ("https://us:hunter2@x:5080", "us", Tls.OFF, None),
            ("ftp://x", "us", Tls.OFF, None),
            ("https://", "us", Tls.OFF, None),
            ("https://x/2/", "us", Tls.OFF, None),
            ("http://x", "us", Tls.VERIFY, None),
            ("https://x", "us", Tls.PINNED, None),
            ("https://x", "u:s", Tls.OFF, None),
            ("https://x", "üs", Tls.OFF, None),
        ):
            failure = self.assertRaises(
                ValueError, Endpoint, "one", url, user, PASSWORD, tls, ca_file
            )
            self.assertNotIn(PASSWORD, str(failure))
