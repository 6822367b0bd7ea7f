"""DHCPv4 answers, compiled when a binding is read and patched for each packet.

What is kept of a guest's answer is the frame up to the options, and each option; a reply
is a copy of the first with some fields set, and those of the options that the client asks
for.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from attrs import field, frozen

from snf.nfdhcpd.binding import Binding, Route4
from snf.nfdhcpd.option import (
    Option,
    encoded,
    parse_option,
    static_routes,
)
from snf.nfdhcpd.request4 import COOKIE, HEADER, Kind, Request
from snf.nfdhcpd.settings import Dhcp

NOWHERE = bytes(4)
EVERYWHERE = b"\xff" * 4
EVERYBODY = b"\xff" * 6
SERVER_PORT, CLIENT_PORT = 67, 68

# Where what is in a frame: Ethernet, IP, UDP, BOOTP with its cookie.
_IP, _UDP, _BOOTP, _OPTIONS = 14, 34, 42, 282
_LEAST_BOOTP = 300  # RFC 1542, 2.1
_USUAL_LONGEST = 576  # RFC 2131, 2: what every client takes, with its IP header
_LONGEST = 1500
# Different questions of a guest whose answers are kept.
_KEPT = 8
_BOOTP_PATCH = struct.Struct("!I 2H 4s 4s 4s 4s 6s")
_IP_HEADER = struct.Struct("!2B 3H 2B H 4s 4s")
_VERSION_AND_SIZE, _DONT_FRAGMENT, _HOPS, _IS_UDP = 0x45, 0x4000, 64, 17
_BOOTREPLY, _ETHERNET, _MAC_SIZE = 2, 1, 6

# RFC 2131, table 3: every lease says these, asked for or not.
_LEASE = (Option.LEASE, Option.RENEWAL, Option.REBINDING)


@frozen
class Compiled:
    """
    What a guest is told.

    :ivar address: Its address, as octets.
    :ivar server: What the server calls itself, as octets.
    :ivar longest: How many octets its link carries in a packet.
    :ivar frame: An answer up to its options.
    :ivar options: The options by their codes, as they are sent, in the usual order.
    :ivar told: What was told of them, by what was asked; a client asks the same again.
    """

    mac: bytes
    any_mac: bool
    address: bytes
    server: bytes
    next_server: bytes
    longest: int
    frame: bytes
    options: dict[int, bytes]
    told: dict[tuple[bytes | None, bool, int], bytes] = field(factory=dict, eq=False)


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
    ip = (_VERSION_AND_SIZE, 0, 0, 0, _DONT_FRAGMENT, _HOPS, _IS_UDP, 0)
    frame = (
        *(binding.mac, mac, b"\x08\0"),
        _IP_HEADER.pack(*ip, server.packed, binding.ip.packed),
        struct.pack("!4H", SERVER_PORT, CLIENT_PORT, 0, 0),
        HEADER.pack(
            *(_BOOTREPLY, _ETHERNET, _MAC_SIZE, 0, 0, 0, 0),
            *(NOWHERE, NOWHERE, next_server.packed, NOWHERE, binding.mac),
            (binding.server_name or settings.server_name).encode(),
            (binding.boot_file or settings.boot_file).encode(),
            COOKIE,
        ),
    )
    return Compiled(
        binding.mac,
        binding.any_mac,
        binding.ip.packed,
        server.packed,
        next_server.packed,
        max(_USUAL_LONGEST, min(binding.mtu or _LONGEST, _LONGEST)),
        b"".join(frame),
        _options(settings, binding, server),
    )


def reply(known: Compiled, kind: Kind, request: Request, where: Where) -> bytes:
    """
    Return a frame that answers a client; an empty one if its link would not carry it.

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
    return _finished(frame) if len(frame) - _IP <= known.longest else b""


def _add_options(
    frame: bytearray, known: Compiled, kind: Kind, request: Request, leases: bool
) -> None:
    tail = b""
    for given in (Option.CLIENT, Option.RELAY):
        if given in request.options:
            tail += encoded(given, request.options[given])
    if kind is not Kind.NAK:
        # 1 for the end of the options.
        room = _longest(known, request) - (len(frame) - _IP) - len(tail) - 1
        frame += _told(known, request.options.get(Option.PARAMETERS), leases, room)
    frame += tail
    frame.append(Option.END)


def _told(known: Compiled, wanted: bytes | None, leases: bool, room: int) -> bytes:
    """Return the options that a client is told, as many as there is room for."""
    asked = wanted, leases, room
    told = known.told.get(asked)
    if told is None:
        told = b""
        for code in _asked(known, wanted, leases):
            piece = known.options[code]
            if len(told) + len(piece) <= room:
                told += piece
        if len(known.told) == _KEPT:
            known.told.clear()
        known.told[asked] = told
    return told


def _asked(known: Compiled, wanted: bytes | None, leases: bool) -> Iterable[int]:
    """Yield the codes of what a client is told, the most important first."""
    if leases:
        yield from _LEASE
    told = {Option.SERVER, *_LEASE}
    # RFC 2132, 3.3: before the router.
    first = (Option.NETMASK,) if Option.NETMASK in known.options else ()
    for code in (*first, *(known.options if wanted is None else wanted)):
        if code in known.options and code not in told:
            told.add(code)
            yield code


def _longest(known: Compiled, request: Request) -> int:
    """Return how many octets the client takes in a packet, with the IP header."""
    text = request.options.get(Option.LONGEST, b"")
    asked = int.from_bytes(text, "big") if len(text) == 2 else 0
    return min(max(asked, _USUAL_LONGEST), known.longest)


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


def _options(settings: Dhcp, binding: Binding, server: IPv4Address) -> dict[int, bytes]:
    """Return all that a guest may be told, as it is sent, in the usual order."""
    further = dict(map(parse_option, settings.options)) | dict(binding.options)
    own = {**_of_subnet(binding), **_of_host(settings, binding)}
    found = {
        Option.SERVER: server.packed,
        Option.LEASE: _seconds(settings.lease_s),
        Option.RENEWAL: _seconds(settings.renewal_s),
        Option.REBINDING: _seconds(settings.rebinding),
        **{code: value for code, value in own.items() if code not in further},
    }
    routes = static_routes(_routes(binding))
    if routes and Option.ROUTES not in further:
        further[Option.ROUTES] = routes
    found |= further
    return {int(code): encoded(code, value) for code, value in found.items()}


def _of_subnet(binding: Binding) -> dict[int, bytes]:
    subnet = binding.subnet or IPv4Network((binding.ip or 0, 32))
    found: dict[int, bytes] = {Option.NETMASK: subnet.netmask.packed}
    router = _router(binding)
    if router is not None:
        found[Option.ROUTER] = router.packed
    if subnet.prefixlen < 31:
        found[Option.BROADCAST] = subnet.broadcast_address.packed
    if binding.mtu is not None:
        found[Option.MTU] = struct.pack("!H", binding.mtu)
    return found


def _of_host(settings: Dhcp, binding: Binding) -> dict[int, bytes]:
    found: dict[int, bytes] = {Option.HOSTNAME: binding.hostname.encode()}
    domain = binding.domain or settings.domain or binding.hostname.partition(".")[2]
    if domain:
        found[Option.DOMAIN] = domain.encode()
    servers = binding.nameservers4 or map(IPv4Address, settings.nameservers)
    ntp = binding.ntp4 or map(IPv4Address, settings.ntp_servers)
    for code, addresses in ((Option.NAMESERVERS, servers), (Option.NTP, ntp)):
        if value := b"".join(one.packed for one in addresses):
            found[code] = value
    return found


def _seconds(value: int) -> bytes:
    return struct.pack("!I", value)


def _router(binding: Binding) -> IPv4Address | None:
    return None if binding.private else binding.gateway


def _routes(binding: Binding) -> Iterable[Route4]:
    """
    Yield the routes that are told by their option, if it is needed.

    Who is told that option is to pass over the router's (RFC 3442), so the default route
    is among them; and a router outside of the subnet is reached no other way.
    """
    router = _router(binding)
    outside = router is not None and router not in (binding.subnet or ())
    if router is not None and outside:
        yield IPv4Network(router), IPv4Address(0)
    yield from binding.routes4
    if router is not None and (outside or binding.routes4):
        yield IPv4Network("0.0.0.0/0"), router
