"""A guest's IPv6 messages, as scapy builds them, and what it makes of the answers."""

from ipaddress import IPv6Address
from typing import Any

from attrs import evolve
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Confirm,
    DHCP6_Decline,
    DHCP6_InfoRequest,
    DHCP6_Rebind,
    DHCP6_Release,
    DHCP6_Renew,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptServerId,
)
from scapy.layers.inet6 import (
    UDP,
    ICMPv6ND_NS,
    ICMPv6ND_RS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from snf.nfdhcpd.binding import completed, parse
from snf.nfdhcpd.responder import Answer, Packet, Responder
from snf.nfdhcpd.service import responders
from snf.nfdhcpd.settings import Nfdhcpd
from tests.nfdhcpd.guest import MAC, SERVER_MAC
from tests.nfdhcpd.tshark import misread

SUBNET = "2001:db8:1::/64"
OWN = "2001:db8:1:0:a800:ff:fe00:1"
OTHER = "2001:db8:1:0:a800:ff:fe00:2"
OWN_LOCAL = "fe80::a800:ff:fe00:1"
SERVER_LOCAL = "fe80::ecee:eeff:feee:eeee"
DUID = DUID_LL(lladdr=MAC.hex(":"))
SERVER_DUID = DUID_LL(lladdr=SERVER_MAC.hex(":"))

BINDING = {
    "INDEV": "tap1",
    "MAC": MAC.hex(":"),
    "HOSTNAME": "snf-1.example.org",
    "SUBNET6": SUBNET,
}

_MESSAGES = {
    "solicit": DHCP6_Solicit,
    "request": DHCP6_Request,
    "confirm": DHCP6_Confirm,
    "renew": DHCP6_Renew,
    "rebind": DHCP6_Rebind,
    "release": DHCP6_Release,
    "decline": DHCP6_Decline,
    "information": DHCP6_InfoRequest,
}
_TO_SERVER = ("request", "renew", "release", "decline")


def router_solicitation(
    source: str = OWN_LOCAL, mac: bytes | None = MAC, **fields: Any
) -> bytes:
    """Return a router solicitation, from the IP header on."""
    packet = IPv6(src=source, dst="ff02::2", **{"hlim": 255, **fields}) / ICMPv6ND_RS()
    return bytes(packet / _option(mac) if mac else packet)


def neighbor_solicitation(
    wanted: str,
    source: str = OWN_LOCAL,
    target: str = "",
    mac: bytes | None = MAC,
    **fields: Any,
) -> bytes:
    """Return a neighbor solicitation; without a source it is one of DAD."""
    to = target or "ff02::1:ff" + _digits(wanted)[-7:]
    ip = IPv6(src=source, dst=to, **{"hlim": 255, **fields})
    packet = ip / ICMPv6ND_NS(tgt=wanted)
    return bytes(packet / _option(mac) if mac and source != "::" else packet)


def dhcp6(
    kind: str,
    *options: Any,
    client: Any = DUID,
    server: Any = None,
    source: str = OWN_LOCAL,
    target: str = "ff02::1:2",
) -> bytes:
    """Return a DHCPv6 client's message, with our server's identifier where it must be."""
    packet = IPv6(src=source, dst=target) / UDP(sport=546, dport=547)
    packet /= _MESSAGES[kind](trid=0x123456)
    if client is not None:
        packet /= DHCP6OptClientId(duid=client)
    if server is None and kind in _TO_SERVER:
        server = SERVER_DUID
    if server is not None:
        packet /= DHCP6OptServerId(duid=server)
    for option in options:
        packet /= option
    return bytes(packet)


def ia(*addresses: str, identifier: int = 7) -> Any:
    """Return what asks for an address."""
    inner = [DHCP6OptIAAddress(addr=one) for one in addresses]
    return DHCP6OptIA_NA(iaid=identifier, T1=0, T2=0, ianaopts=inner)


def bound(
    kind: str, settings: Nfdhcpd | None = None, router: Any = None, **values: str
) -> tuple[Responder, Any]:
    """Return what answers a kind of packets, and what it has compiled for a guest."""
    [one] = [one for one in responders(settings or Nfdhcpd()) if one.kind == kind]
    text = "".join(f"{key}={value}\n" for key, value in {**BINDING, **values}.items())
    binding = completed(parse("tap1", text), lambda table, family: (None, None))
    return one, one.compile(evolve(binding, link_local=router), SERVER_MAC)


def answered(
    kind: str,
    packet: bytes,
    settings: Nfdhcpd | None = None,
    mac: bytes | None = MAC,
    **values: str,
) -> Answer:
    """Return what becomes of a guest's packet."""
    one, compiled = bound(kind, settings, **values)
    return one.answer(compiled, Packet(packet, mac))


def dissected(frame: bytes) -> Any:
    """Return a frame as scapy understands it, which is all of it."""
    if said := misread(frame):
        raise AssertionError(said)
    if len(frame) - 14 > 1280:
        raise AssertionError("not every link carries it")
    return Ether(frame)


def _option(mac: bytes) -> Any:
    return ICMPv6NDOptSrcLLAddr(lladdr=mac.hex(":"))


def _digits(address: str) -> str:
    return IPv6Address(address).exploded
