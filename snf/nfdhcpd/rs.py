"""Router solicitations and advertisements (RFC 4861, 6; RFC 4191; RFC 8106)."""

import struct
from ipaddress import IPv6Network

from attrs import frozen

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.frame6 import (
    DOMAINS,
    MTU,
    PREFIX,
    ROUTE,
    SERVERS,
    SOURCE_MAC,
    addresses,
    names,
    nd_option,
    started,
)
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.settings import Ipv6
from snf.nfdhcpd.wire6 import (
    ALL_NODES,
    ALL_NODES_MAC,
    BODY,
    ICMP,
    IP,
    LONGEST,
    NOWHERE,
    domains_of,
    domains_within,
    finish,
    from_other,
    servers_within,
    solicitation,
    source_of,
)

# As the original's: guests outlast that long without us.  RFC 8319 allows as much.
LIFETIME_S = 14_400
# RFC 4861, 6.2.1
_VALID_S, _PREFERRED_S = 2_592_000, 604_800

# RFC 8106, 5: what comes before the values of an option, and at most after them.
_HEAD, _PADDING = 8, 7

_SOLICITATION, _SIZE, _CHECKSUM = 133, 8, 2

# RFC 4861, 4.2: type, code, checksum; hops, flags, lifetime; two times that it leaves open.
_ADVERTISEMENT = struct.Struct("!BBH BBH II")
_KIND, _HOPS, _MANAGED, _OTHER = 134, 64, 0x80, 0x40
# RFC 4861, 4.6.2
_PREFIX = struct.Struct("!BBIII16s")
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
# RFC 4191, 2.1 and 2.3, and how many routes it advises at most (4).
_PREFERENCES = {"low": 0x18, "medium": 0, "high": 0x08}
_ROUTE = struct.Struct("!BBI")
_MOST_ROUTES = 17


@frozen
class Compiled:
    """
    What a guest is told.

    :ivar frame: An advertisement to all nodes, which is sent from time to time as it is.
    """

    mac: bytes
    any_mac: bool
    frame: bytes


@frozen
class Rs:
    """See ``Responder``; ``mode`` is that of the settings, but for ``auto``."""

    settings: Ipv6
    mode: str
    kind: str = "rs"
    link_wide: bool = True

    def compile(self, binding: Binding, mac: bytes) -> Compiled | None:
        """See ``Responder``."""
        if binding.subnet6 is None:
            return None
        frame = bytearray(self._advertisement(binding, mac))
        frame[IP + 24 : BODY] = ALL_NODES
        return Compiled(binding.mac, binding.any_mac, finish(frame, ICMP, _CHECKSUM))

    def answer(self, known: Compiled, packet: Packet) -> Answer:
        """See ``Responder``."""
        asked = solicitation(packet.payload, _SOLICITATION, _SIZE)
        if asked is None:
            return Answer("malformed")
        if not known.any_mac and from_other(known.mac, packet.source, asked.mac):
            return Answer("spoofed")
        if asked.source == NOWHERE:
            return Answer("ra", known.frame)
        frame = bytearray(known.frame)
        frame[0:6] = packet.source or known.mac
        frame[IP + 24 : BODY] = asked.source
        return Answer("ra", finish(frame, ICMP, _CHECKSUM))

    def _advertisement(self, binding: Binding, mac: bytes) -> bytes:
        # On a bridge a router is somebody else, who says so himself.
        routes = binding.routed and not binding.private
        flags = _MANAGED if self.mode == "dhcpv6" else 0
        flags |= _OTHER if self.mode != "slaac" else 0
        lifetime = LIFETIME_S if routes else 0
        flags |= self._preference if routes else 0
        packet = (
            started(ALL_NODES_MAC, mac, source_of(binding, mac), ICMP, 255)
            + _ADVERTISEMENT.pack(_KIND, 0, 0, _HOPS, flags, lifetime, 0, 0)
            + nd_option(SOURCE_MAC, mac)
        )
        if binding.mtu is not None and binding.mtu >= LONGEST:
            packet += nd_option(MTU, struct.pack("!HI", 0, binding.mtu))
        packet += self._prefix(binding)
        if binding.routed:
            # Whatever they are told to be behind: the node is the way to all others.
            networks = [network for network, _ in binding.routes6]
            packet += b"".join(map(self._route, networks[:_MOST_ROUTES]))
        return self._with_names(packet, binding)

    @property
    def _preference(self) -> int:
        return _PREFERENCES[self.settings.preference]

    def _route(self, network: IPv6Network) -> bytes:
        # Of the prefix eight octets or all or none, as it needs.
        size = (network.prefixlen + 63) // 64 * 8
        head = _ROUTE.pack(network.prefixlen, self._preference, LIFETIME_S)
        return nd_option(ROUTE, head + network.network_address.packed[:size])

    def _prefix(self, binding: Binding) -> bytes:
        subnet = binding.subnet6
        assert subnet is not None
        alone = self.mode != "dhcpv6" and subnet.prefixlen == 64
        if binding.routed and not alone:
            return b""
        # What is routed is reached by its router, whoever else has the prefix.
        flags = (0 if binding.routed else _ON_LINK) | (_AUTONOMOUS if alone else 0)
        times = (_VALID_S, _PREFERRED_S, 0)
        network = subnet.network_address.packed
        return nd_option(PREFIX, _PREFIX.pack(subnet.prefixlen, flags, *times, network))

    def _with_names(self, packet: bytes, binding: Binding) -> bytes:
        head = struct.pack("!HI", 0, LIFETIME_S)
        given = tuple(map(str, binding.nameservers6)) or self.settings.nameservers
        servers = servers_within(given, _room(packet) - _HEAD)
        if servers:
            packet += nd_option(SERVERS, head + addresses(servers))
        domains = domains_of(binding, self.settings.domains)
        domains = domains_within(domains, _room(packet) - _HEAD - _PADDING)
        if domains:
            packet += nd_option(DOMAINS, head + names(domains))
        return packet


def _room(packet: bytes) -> int:
    return LONGEST - (len(packet) - IP)
