"""Key pairs: what they are, and what makes a public key one."""

import base64
import binascii
import hashlib
import re
from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from snf.core.errors import BadRequest

# What a user may have; Nova's own default, and one that none of its clients can change
# for a single user.
AT_MOST = 100

_LONGEST_KEY = 16_384


class Type(Enum):
    """What a key pair is for: logging in to Unix, or to Windows by a certificate."""

    SSH = "ssh"
    X509 = "x509"


@frozen
class KeyPair:
    """A public key that a user's guests are given.

    :ivar id: A number that is shown and means nothing.
    :ivar fingerprint: Of its bytes, in hexadecimal, with colons.
    """

    id: int
    user: UUID
    name: str
    type: Type
    public_key: str
    fingerprint: str
    created: datetime


def check_name(name: str, more: bool) -> None:
    """
    Return if a key pair may have a name.

    :param more: Whether it may have ``@`` and dots, too.
    :raises BadRequest: It may not, in Nova's words (nova/compute/api.py, KeypairAPI).
    """
    if not (_MORE_NAMES if more else _NAMES).fullmatch(name):
        told = "'@', '.', space" if more else "space"
        raise BadRequest(
            "Keypair data is invalid: Keypair name contains unsafe characters: must "
            f"have 1 to 255 letters and digits of ASCII, {told}, '-' and '_'"
        )


_NAMES = re.compile(r"[A-Za-z0-9 _-]{1,255}")
_MORE_NAMES = re.compile(r"[A-Za-z0-9@. _-]{1,255}")


def fingerprint(kind: Type, public_key: str) -> str:
    """
    Return what a public key is told by.

    :raises BadRequest: It is none of its kind, in Nova's words (nova/crypto.py).
    """
    if len(public_key) > _LONGEST_KEY or "\0" in public_key:
        raise BadRequest(
            f"Keypair data is invalid: public_key: must have {_LONGEST_KEY} characters "
            "at most, and no NUL"
        )
    if kind is Type.SSH:
        return _colons(hashlib.md5(_ssh(public_key), usedforsecurity=False).digest())
    return _colons(_certificate(public_key).fingerprint(hashes.SHA1()))


# RFC 4253, section 6.6, and what OpenSSH has added since; those with a certificate in
# them are none that a guest could be given.
_KINDS = frozenset(
    {
        "ssh-rsa",
        "ssh-dss",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)


def _ssh(public_key: str) -> bytes:
    """Return the bytes of a key of one line: a word for its kind, base64, a comment."""
    words = public_key.strip().split(None, 2)
    if "\n" in public_key.strip() or "\r" in public_key.strip() or len(words) < 2:
        raise _not_one(Type.SSH)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise _not_one(Type.SSH) from None
    # It begins with its kind, too: length and letters (RFC 4251, section 5).
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length]
    if words[0] not in _KINDS or kind != words[0].encode() or len(blob) < 8 + length:
        raise _not_one(Type.SSH)
    return blob


def _certificate(public_key: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(public_key.encode())
    except (ValueError, UnsupportedAlgorithm, UnicodeEncodeError):
        raise _not_one(Type.X509) from None


def _not_one(kind: Type) -> BadRequest:
    wanted = {
        Type.SSH: "a line of an authorized_keys file: a kind, base64, a comment",
        Type.X509: "a certificate in PEM",
    }
    return BadRequest(
        "Keypair data is invalid: failed to generate fingerprint: public_key: must be "
        f"{wanted[kind]}"
    )


def _colons(digest: bytes) -> str:
    return digest.hex(":")
