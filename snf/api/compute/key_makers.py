"""Making key pairs, for those who have none; nobody keeps the private half."""

from datetime import datetime, timedelta

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from snf.core.keypair import Type

_BITS = 2048
_YEARS = 10

# What Windows takes a certificate's owner from: a user principal name.
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


@frozen
class Made:
    """A new key pair, as texts."""

    public: str
    private: str = field(repr=False)


def make(kind: Type, user: str, now: datetime) -> Made:
    """
    Return a new key pair: RSA, which all guests know, and passwords are encrypted with.

    It takes a tenth of a second of a processor, so it belongs into a thread.

    :param user: Whom a certificate is for.
    """
    key = generate_private_key(public_exponent=65_537, key_size=_BITS)
    if kind is Type.X509:
        return Made(_certificate(key, user, now), _pem(key, PrivateFormat.PKCS8))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    comment = "Generated-by-Cyclades"
    return Made(
        f"{public.decode()} {comment}", _pem(key, PrivateFormat.TraditionalOpenSSL)
    )


def _pem(key: RSAPrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _certificate(key: RSAPrivateKey, user: str, now: datetime) -> str:
    """Return one that signs itself, by which Windows lets its owner in (WinRM)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user[:64])])
    principal = f"{user}@localhost".encode()
    # DER: a UTF8String; longer than 127 bytes takes one byte more to say so.
    length = len(principal)
    size = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big")
    other = x509.OtherName(_UPN, b"\x0c" + size + principal)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([other]), critical=False)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()
