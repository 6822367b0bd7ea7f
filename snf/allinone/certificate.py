"""The remote API's certificate: one that clients can verify by name and by address.

What Ganeti makes itself is an X.509 v1 certificate for ganeti.example.com, the same
name on every cluster, which no client verifies as it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

_LIFETIME = timedelta(days=3650)


def self_signed(
    name: str, addresses: Sequence[IPv4Address], now: datetime | None = None
) -> tuple[str, str]:
    """Return a new private key and its certificate, both as PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = (now or datetime.now(UTC)) - timedelta(days=1)
    others = [x509.DNSName(name), *map(x509.IPAddress, addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()
