"""Neighbor solicitations and advertisements (RFC 4861, 7.2; RFC 4862, 5.4).

Where the node routes for a guest, it stands for all others of the guest's subnet: who
looks for one of them is told the node's own MAC address.
"""

import struct
from ipaddress import IPv6Address

from attrs import frozen

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.frame6 import TARGET_MAC, nd_option, started
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.wire6 import (
    ALL_NODES,
    ALL_NODES_MAC,
    BODY,
    ICMP,
    IP,
    NOWHERE,
    finish,
    from_other,
    solicitation,
    source_of,
)

_SOLICITATION, _SIZE, _CHECKSUM = 135, 24, 2
_ADVERTISEMENT = 136
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000


@frozen
class Compiled:
    """
    What a guest is told; addresses are octets.

    :ivar router: The node's own address on the tap.
    :ivar own: The guest's own; ``None`` if it may have any.
    :ivar beyond: How many bits of an address are not its subnet's.
    :ivar subnet: The others.
    """

    mac: bytes
    any_mac: bool
    frame: bytes
    router: bytes
    gateway: bytes
    own: bytes | None
    beyond: int
    subnet: int

    def stands_for(self, address: bytes) -> bool:
        """Return whether the node answers for an address, neither its own nor the guest's."""
        inside = int.from_bytes(address, "big") >> self.beyond == self.subnet
        return inside or address == self.gateway


@frozen
class Ns:
    """See ``Responder``."""

    kind: str = "ns"
    link_wide: bool = True

    def compile(self, binding: Binding, mac: bytes) -> Compiled | None:
        """See ``Responder``: on a bridge guests answer for themselves."""
        subnet = binding.subnet6
        if subnet is None or not binding.routed:
            return None
        source = source_of(binding, mac)
        # RFC 4861, 4.4: type, code and checksum; flags; the address that it is about.
        advertisement = struct.pack("!BBHI16s", _ADVERTISEMENT, 0, 0, 0, source.packed)
        frame = (
            started(binding.mac, mac, source, ICMP, 255)
            + advertisement
            + nd_option(TARGET_MAC, mac)
        )
        beyond = 128 - subnet.prefixlen
        return Compiled(
            binding.mac,
            binding.any_mac,
            frame,
            source.packed,
            (binding.gateway6 or IPv6Address(0)).packed,
            None if binding.any_mac or not binding.eui64 else binding.eui64.packed,
            beyond,
            int(subnet.network_address) >> beyond,
        )

    def answer(self, known: Compiled, packet: Packet) -> Answer:
        """See ``Responder``."""
        asked = solicitation(packet.payload, _SOLICITATION, _SIZE)
        if asked is None:
            return Answer("malformed")
        if not known.any_mac and from_other(known.mac, packet.source, asked.mac):
            return Answer("spoofed")
        if asked.wanted == known.own:
            return Answer("own")
        is_router = asked.wanted == known.router
        if not is_router and not known.stands_for(asked.wanted):
            return Answer("elsewhere")
        flags = _ROUTER | (_OVERRIDE if is_router else 0)
        if asked.source == NOWHERE:
            # It asks whether it may have the address.  A guest whose own is not known,
            # or that has others behind it, may have any but the router's.
            if known.own is None and not is_router:
                return Answer("elsewhere")
            return Answer(
                "duplicate",
                _advertised(known, asked.wanted, flags, ALL_NODES_MAC, ALL_NODES),
            )
        mac = packet.source or known.mac
        flags |= _SOLICITED
        return Answer("na", _advertised(known, asked.wanted, flags, mac, asked.source))


def _advertised(
    known: Compiled, address: bytes, flags: int, mac: bytes, target: bytes
) -> bytes:
    frame = bytearray(known.frame)
    frame[0:6] = mac
    frame[IP + 24 : BODY] = target
    struct.pack_into("!I16s", frame, BODY + 4, flags, address)
    return finish(frame, ICMP, _CHECKSUM)
