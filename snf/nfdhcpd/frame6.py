"""What IPv6 answers are made of, as octets."""

import struct
from collections.abc import Iterable
from ipaddress import IPv6Address

_VERSION = 6 << 28
_HEADER = struct.Struct("!IHBB16s16s")
_UNIT = 8  # octets, in which neighbor discovery counts the lengths of options

SOURCE_MAC, TARGET_MAC, PREFIX, MTU, ROUTE, SERVERS, DOMAINS = 1, 2, 3, 5, 24, 25, 31
"""Options of neighbor discovery (RFC 4861, 4.6; RFC 4191, 2.3; RFC 8106, 5)."""


def started(
    mac: bytes, own_mac: bytes, own: IPv6Address, protocol: int, hops: int
) -> bytes:
    """Return a frame up to what IPv6 carries, to be patched and ``finish``ed.

    :param own: The address that it comes from; whom it goes to is not set.
    """
    header = _HEADER.pack(_VERSION, 0, protocol, hops, own.packed, bytes(16))
    return mac + own_mac + b"\x86\xdd" + header


def nd_option(kind: int, value: bytes) -> bytes:
    """Return an option of neighbor discovery, filled up with zeros."""
    units = (2 + len(value) + _UNIT - 1) // _UNIT
    return bytes((kind, units)) + value.ljust(units * _UNIT - 2, b"\0")


def dhcp_option(code: int, value: bytes) -> bytes:
    """Return an option of DHCPv6."""
    return struct.pack("!2H", code, len(value)) + value


def addresses(texts: Iterable[str]) -> bytes:
    """Return addresses one after the other."""
    return b"".join(IPv6Address(text).packed for text in texts)


def names(texts: Iterable[str]) -> bytes:
    """Return domain names one after the other (RFC 1035, 3.1)."""
    return b"".join(map(_name, texts))


def _name(text: str) -> bytes:
    labels = (label.encode() for label in text.rstrip(".").split("."))
    return b"".join(bytes((len(one),)) + one for one in labels) + b"\0"
