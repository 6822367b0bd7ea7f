"""DHCPv4 answers, compiled when a binding is read and patched for each packet.

Scapy builds the whole answer of a guest, which takes milliseconds.  What is kept of it is
the frame up to the options, and each option; a reply is a copy of the first with some
fields set, and those of the options that the client asks for.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from attrs import frozen
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from snf.nfdhcpd.binding import Binding, Route
from snf.nfdhcpd.option import (
    Option,
    encoded,
    parse_option,
    pieces,
    static_routes,
)
from snf.nfdhcpd.request4 import Kind, Request
from snf.nfdhcpd.settings import Dhcp

NOWHERE = bytes(4)
EVERYWHERE = b"\xff" * 4
EVERYBODY = b"\xff" * 6
SERVER_PORT, CLIENT_PORT = 67, 68

# Where what is in a frame: Ethernet, IP, UDP, BOOTP with its cookie.
_IP, _UDP, _BOOTP, _OPTIONS = 14, 34, 42, 282
_LEAST_BOOTP = 300  # RFC 1542, 2.1
_USUAL_LONGEST = 576  # RFC 2131, 2: what every client takes, with its IP header
_BOOTP_PATCH = struct.Struct("!I 2H 4s 4s 4s 4s 6s")

# RFC 2131, table 3: every lease says these, asked for or not.
_LEASE = (Option.LEASE, Option.RENEWAL, Option.REBINDING)


@frozen
class Compiled:
    """
    What a guest is told.

    :ivar address: Its address, as octets.
    :ivar server: What the server calls itself, as octets.
    :ivar frame: An answer up to its options.
    :ivar options: The options by their codes, as they are sent, in the usual order.
    """

    mac: bytes
    any_mac: bool
    address: bytes
    server: bytes
    next_server: bytes
    frame: bytes
    options: dict[int, bytes]


@frozen
class Where:
    """Whom an answer is sent to."""

    mac: bytes
    address: bytes
    port: int = CLIENT_PORT


def compiled(settings: Dhcp, binding: Binding, mac: bytes) -> Compiled | None:
    """Return what a guest is told, if it is to have an address."""
    if binding.ip is None:
        return None
    server = _server(settings, binding)
    next_server = binding.next_server or IPv4Address(settings.next_server or 0)
    options = _options(settings, binding, server)
    boot = BOOTP(
        op=2,
        xid=0,
        chaddr=binding.mac,
        siaddr=str(next_server),
        sname=(binding.server_name or settings.server_name).encode(),
        file=(binding.boot_file or settings.boot_file).encode(),
    )
    frame = bytes(
        Ether(src=_text(mac), dst=_text(binding.mac))
        / IP(src=str(server), dst=str(binding.ip), id=0, flags="DF", ttl=64)
        / UDP(sport=SERVER_PORT, dport=CLIENT_PORT)
        / boot
        / DHCP(options=[*options, "end"])
    )
    return Compiled(
        binding.mac,
        binding.any_mac,
        binding.ip.packed,
        server.packed,
        next_server.packed,
        frame[:_OPTIONS],
        _pieces(frame[_OPTIONS:]),
    )


def reply(known: Compiled, kind: Kind, request: Request, where: Where) -> bytes:
    """
    Return a frame that answers a client.

    Fields as of RFC 2131, table 3; the client's identifier (RFC 6842) and the relay's
    options (RFC 3046, 2.2) go back as they came.
    """
    frame = bytearray(known.frame)
    frame[0:6] = where.mac
    frame[_IP + 16 : _IP + 20] = where.address
    struct.pack_into("!H", frame, _UDP + 2, where.port)
    leases = kind is Kind.OFFER or (kind is Kind.ACK and request.kind == Kind.REQUEST)
    named = request.client if kind is Kind.ACK else NOWHERE
    flags = request.flags
    if kind is Kind.NAK:
        # The relay must broadcast it (RFC 2131, 4.3.2), and nobody is to boot by it.
        flags |= 0x8000
        frame[_BOOTP + 44 : _BOOTP + 236] = bytes(192)
    _BOOTP_PATCH.pack_into(
        frame,
        _BOOTP + 4,
        request.transaction,
        0,
        flags,
        named,
        known.address if leases else NOWHERE,
        NOWHERE if kind is Kind.NAK else known.next_server,
        request.relay,
        request.hardware,
    )
    frame += b"\x35\x01" + bytes((kind,)) + known.options[Option.SERVER]
    _add_options(frame, known, kind, request, leases)
    return _finished(frame)


def _add_options(
    frame: bytearray, known: Compiled, kind: Kind, request: Request, leases: bool
) -> None:
    tail = b""
    for given in (Option.CLIENT, Option.RELAY):
        if given in request.options:
            tail += encoded(given, request.options[given])
    if kind is not Kind.NAK:
        # 1 for the end of the options.
        room = _longest(request) - (len(frame) - _IP) - len(tail) - 1
        for code in _asked(known, request, leases):
            piece = known.options[code]
            if len(piece) <= room:
                frame += piece
                room -= len(piece)
    frame += tail
    frame.append(Option.END)


def _asked(known: Compiled, request: Request, leases: bool) -> Iterable[int]:
    """Yield the codes of what a client is told, the most important first."""
    if leases:
        yield from _LEASE
    wanted = request.options.get(Option.PARAMETERS)
    told = {Option.SERVER, *_LEASE}
    # RFC 2132, 3.3: before the router.
    first = (Option.NETMASK,) if Option.NETMASK in known.options else ()
    for code in (*first, *(known.options if wanted is None else wanted)):
        if code in known.options and code not in told:
            told.add(code)
            yield code


def _longest(request: Request) -> int:
    """Return how many octets the client takes in a packet, with the IP header."""
    text = request.options.get(Option.LONGEST, b"")
    asked = int.from_bytes(text, "big") if len(text) == 2 else 0
    return min(max(asked, _USUAL_LONGEST), 1500)


def _finished(frame: bytearray) -> bytes:
    """Return the frame with its lengths and checksums (RFC 1071)."""
    short = _LEAST_BOOTP - (len(frame) - _BOOTP)
    if short > 0:
        frame += bytes(short)
    length = len(frame) - _IP
    struct.pack_into("!H", frame, _IP + 2, length)
    struct.pack_into("!H", frame, _IP + 10, 0)
    struct.pack_into("!H", frame, _IP + 10, checksum(frame[_IP:_UDP]))
    datagram = length - 20
    struct.pack_into("!HH", frame, _UDP + 4, datagram, 0)
    pseudo = struct.pack("!HH", 17, datagram)
    # From the addresses on: they are the other part of the pseudo-header.
    total = checksum(pseudo + frame[_IP + 12 :] + b"\0" * (len(frame) & 1))
    struct.pack_into("!H", frame, _UDP + 6, total or 0xFFFF)
    return bytes(frame)


def checksum(octets: bytes | bytearray) -> int:
    """Return the Internet checksum of an even number of octets.

    The sum of 16-bit words with carries around is the remainder of one large number.
    """
    return 0xFFFF - int.from_bytes(octets, "big") % 0xFFFF


def _server(settings: Dhcp, binding: Binding) -> IPv4Address:
    if settings.server_on_link:
        if binding.gateway is not None:
            return binding.gateway
        if binding.subnet is not None and binding.subnet.prefixlen < 31:
            return binding.subnet[1]
    return IPv4Address(settings.server_ip)


def _options(
    settings: Dhcp, binding: Binding, server: IPv4Address
) -> list[tuple[Any, ...]]:
    """Return all that a guest may be told, as scapy takes it, in the usual order."""
    further = dict(map(parse_option, settings.options)) | dict(binding.options)
    found: list[tuple[Any, ...]] = [
        ("server_id", str(server)),
        ("lease_time", settings.lease_s),
        ("renewal_time", settings.renewal_s),
        ("rebinding_time", settings.rebinding),
    ]
    own = {**_of_subnet(binding), **_of_host(settings, binding)}
    found += [
        (name, *value) for code, (name, value) in own.items() if code not in further
    ]
    routes = static_routes(_routes(binding))
    if routes and Option.ROUTES not in further:
        further[Option.ROUTES] = routes
    for code, value in further.items():
        found += [(code, piece) for piece in pieces(value)]
    return found


_Named = dict[int, tuple[str, tuple[Any, ...]]]


def _of_subnet(binding: Binding) -> _Named:
    subnet = binding.subnet or IPv4Network((binding.ip or 0, 32))
    found: _Named = {Option.NETMASK: ("subnet_mask", (str(subnet.netmask),))}
    router = _router(binding)
    if router is not None:
        found[Option.ROUTER] = ("router", (str(router),))
    if subnet.prefixlen < 31:
        broadcast = str(subnet.broadcast_address)
        found[Option.BROADCAST] = ("broadcast_address", (broadcast,))
    if binding.mtu is not None:
        found[Option.MTU] = ("interface-mtu", (binding.mtu,))
    return found


def _of_host(settings: Dhcp, binding: Binding) -> _Named:
    found: _Named = {Option.HOSTNAME: ("hostname", (binding.hostname.encode(),))}
    domain = binding.domain or settings.domain or binding.hostname.partition(".")[2]
    if domain:
        found[Option.DOMAIN] = ("domain", (domain.encode(),))
    servers = tuple(map(str, binding.nameservers4)) or settings.nameservers
    if servers:
        found[Option.NAMESERVERS] = ("name_server", servers)
    ntp = tuple(map(str, binding.ntp)) or settings.ntp_servers
    if ntp:
        found[Option.NTP] = ("NTP_server", ntp)
    return found


def _router(binding: Binding) -> IPv4Address | None:
    return None if binding.private else binding.gateway


def _routes(binding: Binding) -> Iterable[Route]:
    """
    Yield the routes that are told by their option, if it is needed.

    Who is told that option is to pass over the router's (RFC 3442), so the default route
    is among them; and a router outside of the subnet is reached no other way.
    """
    router = _router(binding)
    outside = router is not None and router not in (binding.subnet or ())
    if router is not None and outside:
        yield IPv4Network(router), IPv4Address(0)
    yield from binding.routes
    if router is not None and (outside or binding.routes):
        yield IPv4Network("0.0.0.0/0"), router


def _pieces(field: bytes) -> dict[int, bytes]:
    """Return each option of a field as it is in there."""
    found: dict[int, bytes] = {}
    at = 0
    while field[at] != Option.END:
        code, length = field[at], field[at + 1]
        found[code] = found.get(code, b"") + field[at : at + 2 + length]
        at += 2 + length
    return found


def _text(mac: bytes) -> str:
    return mac.hex(":")
