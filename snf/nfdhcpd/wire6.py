"""IPv6 packets as octets: what is in a guest's, and what is set in an answer's frame."""

import struct
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from attrs import frozen

from snf.nfdhcpd.binding import Binding, eui64

ICMP, UDP = 58, 17
LONGEST = 1280
"""Octets that every link carries with IPv6 (RFC 8200, 5); no answer is longer."""

NOWHERE = bytes(16)
ALL_NODES = IPv6Address("ff02::1").packed
ALL_NODES_MAC = bytes.fromhex("333300000001")
SERVER_PORT, CLIENT_PORT = 547, 546

# Where what is in a frame: Ethernet, IPv6, and what it carries.
IP, BODY = 14, 54

_HEADER = struct.Struct("!IHBB16s16s")
_PSEUDO = struct.Struct("!II")
_LINK_LOCAL = IPv6Network("fe80::/64")
_SOURCE_MAC = 1  # RFC 4861, 4.6.1
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")


@frozen
class Datagram:
    """What an IPv6 packet without extension headers carries; addresses are octets."""

    source: bytes
    target: bytes
    hops: int
    body: bytes


@frozen
class Solicitation:
    """
    A router or neighbor solicitation.

    :ivar wanted: The address that a neighbor is looked for at; empty for a router.
    :ivar mac: What the guest says its MAC address is, if it does.
    """

    source: bytes
    wanted: bytes
    mac: bytes | None


def datagram(packet: bytes, protocol: int) -> Datagram | None:
    """Return what a whole packet carries of a protocol; ``None`` if it is none.

    Extension headers are not used by what is answered here: neighbor discovery may not be
    fragmented (RFC 6980), nor may it be routed.
    """
    if len(packet) < _HEADER.size:
        return None
    first, length, following, hops, source, target = _HEADER.unpack_from(packet)
    if first >> 28 != 6 or following != protocol or source[0] == 0xFF:
        return None
    if not 8 <= length <= len(packet) - _HEADER.size:
        return None
    return Datagram(source, target, hops, packet[40 : 40 + length])


def solicitation(packet: bytes, kind: int, size: int) -> Solicitation | None:
    """
    Return a solicitation that is valid as RFC 4861, 6.1.1 and 7.1.1 say.

    :param kind: Its type.
    :param size: How many octets there are before its options.
    """
    found = datagram(packet, ICMP)
    if found is None or found.hops != 255 or len(found.body) < size:
        return None
    body = found.body
    if body[0] != kind or body[1] != 0 or _sum(found.source, found.target, ICMP, body):
        return None
    options = _options(body, size)
    if options is None:
        return None
    mac = options.get(_SOURCE_MAC)
    wanted = body[8:size]
    if found.source == NOWHERE:
        to_group = not wanted or found.target == _SOLICITED_NODE + wanted[13:]
        if mac is not None or not to_group:
            return None
    if wanted[:1] == b"\xff":
        return None
    return Solicitation(found.source, wanted, mac)


def from_other(mac: bytes, source: bytes | None, said: bytes | None) -> bool:
    """
    Return whether a packet is from another MAC address than the guest's own.

    :param source: Where the frame is from, as the kernel says.
    :param said: What the packet itself says.
    """
    return source not in (None, mac) or said not in (None, mac)


def source_of(binding: Binding, mac: bytes) -> IPv6Address:
    """Return the link-local address that a guest is answered from.

    :param mac: The MAC address of the binding's ``indev``.
    """
    own = binding.link_local or eui64(_LINK_LOCAL, mac)
    assert own is not None
    return own


def domains_of(binding: Binding, configured: tuple[str, ...]) -> list[str]:
    """Return where a guest is to look for names, as far as DNS can have them."""
    own = binding.domain or binding.hostname.partition(".")[2]
    found = (binding.domain,) if binding.domain else configured or (own,)
    return [one for one in found if one and _is_name(one)]


def servers_within(servers: Sequence[str], room: int) -> list[str]:
    """Return the first of some addresses, as many as there is room for in octets."""
    return list(servers[: max(room, 0) // 16])


def domains_within(domains: Sequence[str], room: int) -> list[str]:
    """Return the first of some names, as many as there is room for in octets."""
    found = []
    for domain in domains:
        room -= len(domain.rstrip(".")) + 2  # RFC 1035, 3.1
        if room < 0:
            break
        found.append(domain)
    return found


def finish(frame: bytearray, protocol: int, at: int) -> bytes:
    """
    Return a frame with its lengths and checksum.

    :param at: Where the checksum is in what IPv6 carries.
    """
    length = len(frame) - BODY
    struct.pack_into("!H", frame, IP + 4, length)
    if protocol == UDP:
        struct.pack_into("!H", frame, BODY + 4, length)
    struct.pack_into("!H", frame, BODY + at, 0)
    body = bytes(frame[BODY:])
    total = 0xFFFF - _sum(
        bytes(frame[IP + 8 : IP + 24]), bytes(frame[IP + 24 : BODY]), protocol, body
    )
    if protocol == ICMP and total == 0xFFFF:
        total = 0  # which UDP does not have (RFC 8200, 8.1)
    struct.pack_into("!H", frame, BODY + at, total)
    return bytes(frame)


def _sum(source: bytes, target: bytes, protocol: int, body: bytes) -> int:
    """Return the sum of 16-bit words, of which 0 is the sum of what has its checksum.

    With carries around it is the remainder of one large number.
    """
    octets = source + target + _PSEUDO.pack(len(body), protocol) + body
    if len(body) & 1:
        octets += b"\0"
    return int.from_bytes(octets, "big") % 0xFFFF


def _options(body: bytes, at: int) -> dict[int, bytes] | None:
    """Return the first option of each type; ``None`` if they are not well formed."""
    found: dict[int, bytes] = {}
    end = len(body)
    while at < end:
        size = body[at + 1] * 8 if at + 1 < end else 0
        if not size or at + size > end:
            return None
        found.setdefault(body[at], body[at + 2 : at + size])
        at += size
    return found


def _is_name(text: str) -> bool:
    return len(text) < 254 and all(0 < len(one) < 64 for one in text.split("."))
