"""Router solicitations and advertisements (RFC 4861, 6; RFC 8106)."""

from typing import Any

from attrs import frozen
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.settings import Ipv6
from snf.nfdhcpd.wire6 import (
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
        frame = bytearray(bytes(self._advertisement(binding, mac)))
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

    def _advertisement(self, binding: Binding, mac: bytes) -> Any:
        # On a bridge a router is somebody else, who says so himself.
        routes = binding.routed and not binding.private
        packet = (
            Ether(src=mac.hex(":"), dst=ALL_NODES_MAC.hex(":"))
            / IPv6(src=str(source_of(binding, mac)), dst="ff02::1", hlim=255)
            / ICMPv6ND_RA(
                chlim=64,
                M=int(self.mode == "dhcpv6"),
                O=int(self.mode != "slaac"),
                prf=0,
                routerlifetime=LIFETIME_S if routes else 0,
            )
            / ICMPv6NDOptSrcLLAddr(lladdr=mac.hex(":"))
        )
        if binding.mtu is not None and binding.mtu >= LONGEST:
            packet /= ICMPv6NDOptMTU(mtu=binding.mtu)
        return self._with_names(self._with_prefix(packet, binding), binding)

    def _with_prefix(self, packet: Any, binding: Binding) -> Any:
        subnet = binding.subnet6
        assert subnet is not None
        alone = self.mode != "dhcpv6" and subnet.prefixlen == 64
        if binding.routed and not alone:
            return packet
        # What is routed is reached by its router, whoever else has the prefix.
        return packet / ICMPv6NDOptPrefixInfo(
            prefix=str(subnet.network_address),
            prefixlen=subnet.prefixlen,
            L=int(not binding.routed),
            A=int(alone),
            validlifetime=_VALID_S,
            preferredlifetime=_PREFERRED_S,
        )

    def _with_names(self, packet: Any, binding: Binding) -> Any:
        given = tuple(map(str, binding.nameservers6)) or self.settings.nameservers
        servers = servers_within(given, _room(packet) - _HEAD)
        if servers:
            packet /= ICMPv6NDOptRDNSS(lifetime=LIFETIME_S, dns=servers)
        domains = domains_of(binding, self.settings.domains)
        domains = domains_within(domains, _room(packet) - _HEAD - _PADDING)
        if domains:
            packet /= ICMPv6NDOptDNSSL(lifetime=LIFETIME_S, searchlist=domains)
        return packet


def _room(packet: Any) -> int:
    return LONGEST - (len(packet) - IP)
