"""A DHCPv6 client's message as it is on the wire (RFC 8415, 8 and 21)."""

import struct
from enum import IntEnum
from ipaddress import IPv6Address

from attrs import frozen

from snf.nfdhcpd.wire6 import NOWHERE, SERVER_PORT, UDP, datagram

_SERVERS = IPv6Address("ff02::1:2").packed
_LONGEST_DUID = 130  # RFC 8415, 11.1
_MOST_IAS = 4


class Kind(IntEnum):
    """The types of messages (RFC 8415, 7.3)."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    INFORMATION = 11
    RELAY_FORWARD = 12
    RELAY_REPLY = 13


RELAYED = (Kind.RELAY_FORWARD, Kind.RELAY_REPLY)


class Option(IntEnum):
    """Those that nfdhcpd knows (RFC 8415, 21; RFC 3646; RFC 5908)."""

    CLIENT = 1
    SERVER = 2
    IA_NA = 3
    IA_TA = 4
    ADDRESS = 5
    PREFERENCE = 7
    STATUS = 13
    RAPID_COMMIT = 14
    NAMESERVERS = 23
    DOMAINS = 24
    IA_PD = 25
    NTP = 56


# What of an IA comes before its options: its identifier, and times.
_FIXED = {Option.IA_NA: 12, Option.IA_TA: 4, Option.IA_PD: 12}


@frozen
class Ia:
    """An identity association: what a client asks one address or prefix for."""

    code: int
    identifier: bytes
    addresses: tuple[bytes, ...]


@frozen
class Request:
    """A client's message; addresses are octets."""

    kind: int
    transaction: bytes
    source: bytes
    client: bytes | None = None
    server: bytes | None = None
    rapid: bool = False
    ias: tuple[Ia, ...] = ()


def parse(packet: bytes) -> Request | None:
    """Return a client's message, from the IP header on; ``None`` if it is none."""
    found = datagram(packet, UDP)
    if found is None or found.source == NOWHERE or found.target != _SERVERS:
        return None
    _, port, length, _ = struct.unpack_from("!4H", found.body)
    if port != SERVER_PORT or not 12 <= length <= len(found.body):
        return None
    body = found.body[8:length]
    kind, transaction = body[0], body[1:4]
    if kind in RELAYED:
        return Request(kind, transaction, found.source)
    options = _options(body[4:])
    if options is None:
        return None
    first: dict[int, bytes] = {}
    for code, value in options:
        first.setdefault(code, value)
    client = first.get(Option.CLIENT)
    if client is not None and not 0 < len(client) <= _LONGEST_DUID:
        return None
    ias = _ias(options)
    if ias is None:
        return None
    return Request(
        kind,
        transaction,
        found.source,
        client,
        first.get(Option.SERVER),
        Option.RAPID_COMMIT in first,
        ias,
    )


def _options(octets: bytes) -> list[tuple[int, bytes]] | None:
    """Return options in their order; ``None`` if they are not well formed."""
    found = []
    at, end = 0, len(octets)
    while at < end:
        if at + 4 > end:
            return None
        code, length = struct.unpack_from("!2H", octets, at)
        at += 4
        if at + length > end:
            return None
        found.append((code, octets[at : at + length]))
        at += length
    return found


def _ias(options: list[tuple[int, bytes]]) -> tuple[Ia, ...] | None:
    """Return the first of what is asked for: nobody needs many."""
    found: list[Ia] = []
    for code, value in options:
        if code not in _FIXED or len(found) == _MOST_IAS:
            continue
        size = _FIXED[Option(code)]
        inner = _options(value[size:])
        if len(value) < size or inner is None:
            return None
        addresses = [one[:16] for kind, one in inner if kind == Option.ADDRESS]
        if any(len(one) != 16 for one in addresses):
            return None
        found.append(Ia(code, value[:4], tuple(addresses)))
    return tuple(found)
