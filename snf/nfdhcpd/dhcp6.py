"""DHCPv6: what a guest's message is answered with (RFC 8415, 18.3)."""

from attrs import frozen

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.reply6 import (
    NOT_ON_LINK,
    SUCCESS,
    Compiled,
    compiled,
    leases,
    reply,
)
from snf.nfdhcpd.request6 import RELAYED, Kind, Request, parse
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.settings import Ipv6
from snf.nfdhcpd.wire6 import from_other

# Whether a message names its server (RFC 8415, 16); of the others it may, or not.
_NAMES_SERVER = {
    Kind.SOLICIT: False,
    Kind.REQUEST: True,
    Kind.CONFIRM: False,
    Kind.RENEW: True,
    Kind.REBIND: False,
    Kind.RELEASE: True,
    Kind.DECLINE: True,
}


@frozen
class Dhcp6:
    """See ``Responder``: each guest has one address, which it has for good.

    It is the one that it would make itself, so it may as well do that.
    """

    settings: Ipv6
    mode: str
    kind: str = "dhcpv6"
    link_wide: bool = False

    def compile(self, binding: Binding, mac: bytes) -> Compiled | None:
        """See ``Responder``."""
        if self.mode == "slaac":
            return None
        return compiled(self.settings, binding, mac)

    def answer(self, known: Compiled, packet: Packet) -> Answer:
        """See ``Responder``."""
        request = parse(packet.payload)
        if request is None:
            return Answer("malformed")
        if not known.any_mac and from_other(known.mac, packet.source, None):
            return Answer("spoofed")
        if request.kind in RELAYED:
            return Answer("relayed")
        if request.kind == Kind.INFORMATION:
            return _informed(known, request, packet)
        named = _NAMES_SERVER.get(Kind(request.kind)) if _known(request) else None
        if named is None:
            return Answer("unexpected")
        if request.client is None or named != (request.server is not None):
            return Answer("malformed")
        if named and request.server != known.server:
            return Answer("other_server")
        return _answered(known, request, packet)


def _known(request: Request) -> bool:
    return request.kind in Kind.__members__.values()


def _informed(known: Compiled, request: Request, packet: Packet) -> Answer:
    if request.ias:  # RFC 8415, 16.12
        return Answer("malformed")
    if request.server not in (None, known.server):
        return Answer("other_server")
    return _sent(known, Kind.REPLY, request, packet, known.names)


def _answered(known: Compiled, request: Request, packet: Packet) -> Answer:
    if request.kind == Kind.SOLICIT:
        given = [*leases(known, request, False), known.names]
        if request.rapid:
            return _sent(known, Kind.REPLY, request, packet, known.rapid, *given)
        return _sent(known, Kind.ADVERTISE, request, packet, known.preference, *given)
    if request.kind in (Kind.REQUEST, Kind.RENEW, Kind.REBIND):
        in_use = request.kind != Kind.REQUEST
        given = [*leases(known, request, in_use), known.names]
        return _sent(known, Kind.REPLY, request, packet, *given)
    if request.kind == Kind.CONFIRM:
        return _confirmed(known, request, packet)
    # The address stays the guest's, who may ask for it again.
    done = _sent(known, Kind.REPLY, request, packet, known.statuses[SUCCESS])
    if request.kind == Kind.RELEASE:
        return Answer("release", done.frame)
    return Answer(
        "decline",
        done.frame,
        "says that somebody else uses the IPv6 address that it is to have",
    )


def _confirmed(known: Compiled, request: Request, packet: Packet) -> Answer:
    """Answer whether a guest that was elsewhere may keep what it has.

    It may keep its own address only: with any other of the link it would not be heard.
    """
    named = {address for ia in request.ias for address in ia.addresses}
    if not named:  # RFC 8415, 18.3.3
        return Answer("malformed")
    if named == {known.address}:
        return _sent(known, Kind.REPLY, request, packet, known.statuses[SUCCESS])
    done = _sent(known, Kind.REPLY, request, packet, known.statuses[NOT_ON_LINK])
    return Answer("not_on_link", done.frame)


def _sent(
    known: Compiled, kind: Kind, request: Request, packet: Packet, *parts: bytes
) -> Answer:
    frame = reply(known, kind, request, packet.source or known.mac, *parts)
    return Answer(kind.name.lower(), frame)
