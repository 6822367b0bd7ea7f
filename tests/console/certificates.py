"""A certificate authority, and what it issues: as QEMU's TLS wants them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

_DAY = timedelta(days=1)


@frozen
class Authority:
    """One that signs.

    :ivar pem: Its certificate.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @classmethod
    def new(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Test authority")
        made = _builder(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(key, made.sign(key, SHA256()))

    def issue(self, host: str) -> tuple[str, str]:
        """Return a new key and a certificate for a host, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            other: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            other = x509.DNSName(host)
        made = (
            _builder(_name(host), self.certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName([other]), critical=False)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .sign(self.key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private.decode(), made.public_bytes(Encoding.PEM).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
