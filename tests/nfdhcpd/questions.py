"""Packets of every kind that nfdhcpd may be asked by, and what is left of spoiled ones."""

import struct
from collections.abc import Sequence

from attrs import frozen
from scapy.layers.dhcp6 import DHCP6OptOptReq, DHCP6OptRapidCommit

from snf.nfdhcpd.reply4 import checksum
from tests.nfdhcpd import guest6
from tests.nfdhcpd.guest import MAC, OTHER, OWN, SERVER, message
from tests.nfdhcpd.guest6 import (
    SERVER_LOCAL,
    dhcp6,
    ia,
    neighbor_solicitation,
    router_solicitation,
)

_ICMP, _UDP = 58, 17
_WANTED = ("param_req_list", [1, 3, 6, 12, 15, 26, 28, 42, 51, 58, 59, 121])
_OURS = ("server_id", SERVER)


def _dhcp() -> list[bytes]:
    """Return what DHCPv4 clients send."""
    own, other = ("requested_addr", OWN), ("requested_addr", OTHER)
    far = {"ciaddr": OWN, "source": OWN, "target": SERVER}
    identifier = ("client_id", b"\1" + MAC)
    return [
        message("discover"),
        message("discover", _WANTED, ("max_dhcp_size", 1500), identifier),
        message("discover", _WANTED, flags=0x8000),
        message("discover", ("relay_agent_information", b"\1\4eth0"), giaddr=OTHER),
        message("request", _OURS, own, _WANTED),
        message("request", own),
        message("request", other),
        message("request", other, giaddr=OTHER),
        message("request", _WANTED, **far),
        message("request", ciaddr=OWN, source=OWN),
        message("inform", _WANTED, **far),
        message("inform", _WANTED, source=OWN),
        message("decline", _OURS, own),
        message("release", _OURS, **far),
    ]


def _rs() -> list[bytes]:
    """Return what looks for a router."""
    return [router_solicitation(), router_solicitation(source="::", mac=None)]


def _ns() -> list[bytes]:
    """Return what looks for neighbors, or for those that have one's address."""
    return [
        neighbor_solicitation(wanted, **source)
        for wanted in (guest6.OTHER, guest6.OWN, SERVER_LOCAL)
        for source in ({}, {"source": "::"})
    ]


def _dhcpv6() -> list[bytes]:
    """Return what DHCPv6 clients send."""
    held = ia(guest6.OWN, guest6.OTHER)
    wanted = DHCP6OptOptReq(reqopts=[23, 24, 56])
    kinds = ("confirm", "rebind", "request", "renew", "release", "decline")
    return [
        dhcp6("solicit", wanted, ia()),
        dhcp6("solicit", wanted, DHCP6OptRapidCommit(), ia()),
        dhcp6("information", wanted),
        *(dhcp6(kind, held, wanted) for kind in kinds),
    ]


WHOLE = {"dhcp": _dhcp(), "rs": _rs(), "ns": _ns(), "dhcpv6": _dhcpv6()}
"""By the word of their responder."""


@frozen
class Edit:
    """Octets of a packet that are replaced by others."""

    at: int
    removed: int
    added: bytes


def spoiled(packet: bytes, edits: Sequence[Edit], repaired: bool) -> bytes:
    """
    Return a packet with octets replaced.

    :param repaired: Whether its lengths and checksums are right nevertheless, so that it
        is looked at any further.
    """
    changed = bytearray(packet)
    for edit in edits:
        at = edit.at % (len(changed) + 1)
        changed[at : at + edit.removed] = edit.added
    if not repaired or not changed:
        return bytes(changed)
    return bytes(_repaired4(changed) if packet[0] >> 4 == 4 else _repaired6(changed))


def _repaired4(packet: bytearray) -> bytearray:
    size = (packet[0] & 15) * 4
    if len(packet) >= max(size, 20) + 8:
        struct.pack_into("!H", packet, 2, len(packet))
        struct.pack_into("!H", packet, size + 4, len(packet) - size)
    return packet


def _repaired6(packet: bytearray) -> bytearray:
    body = len(packet) - 40
    if body < 8 or packet[6] not in (_ICMP, _UDP):
        return packet
    struct.pack_into("!H", packet, 4, body)
    at = 42 if packet[6] == _ICMP else 46
    if at == 46:
        struct.pack_into("!H", packet, 44, body)
    packet[at : at + 2] = bytes(2)
    pseudo = packet[8:40] + struct.pack("!2I", body, packet[6])
    total = checksum(pseudo + packet[40:] + bytes(body & 1))
    struct.pack_into("!H", packet, at, total)
    return packet
