"""DHCPv4: what a guest's message is answered with (RFC 2131, 4.3)."""

from attrs import frozen

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.option import Option
from snf.nfdhcpd.reply4 import (
    CLIENT_PORT,
    EVERYBODY,
    EVERYWHERE,
    NOWHERE,
    SERVER_PORT,
    Compiled,
    Where,
    compiled,
    reply,
)
from snf.nfdhcpd.request4 import Kind, Request, parse
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.settings import Dhcp

_OUTCOMES = {Kind.OFFER: "offer", Kind.ACK: "ack", Kind.NAK: "nak"}


@frozen
class Dhcp4:
    """See ``Responder``: each guest has one address, which it has for good."""

    settings: Dhcp
    kind: str = "dhcp"
    link_wide: bool = False

    def compile(self, binding: Binding, mac: bytes) -> Compiled | None:
        """See ``Responder``."""
        return compiled(self.settings, binding, mac)

    def answer(self, known: Compiled, packet: Packet) -> Answer:
        """See ``Responder``."""
        request = parse(packet.payload)
        if request is None:
            return Answer("malformed")
        if not known.any_mac and (
            request.hardware != known.mac or packet.source not in (None, known.mac)
        ):
            return Answer("spoofed")
        if request.kind == Kind.DISCOVER:
            return _sent(known, Kind.OFFER, request, packet)
        if request.kind == Kind.REQUEST:
            return _requested(known, request, packet)
        if request.kind == Kind.INFORM:
            return _sent(known, Kind.ACK, request, packet)
        if request.kind == Kind.DECLINE:
            return _declined(known, request)
        if request.kind == Kind.RELEASE:
            # The address stays the guest's, who may ask for it again.
            return Answer("release")
        return Answer("unexpected")


def _requested(known: Compiled, request: Request, packet: Packet) -> Answer:
    """
    Answer a REQUEST in each of the client's states (RFC 2131, 4.3.2).

    Selecting: the server's identifier and an address. Init-reboot: an address only.
    Renewing and rebinding: its own address in the header only.
    """
    server = request.options.get(Option.SERVER)
    if server is not None and server != known.server:
        return Answer("other_server")
    if request.client != NOWHERE:
        asked = request.client
    else:
        asked = request.options.get(Option.REQUESTED, b"")
        if not asked and server is not None:
            # Must be there; but it is our offer that is taken, and that had but one.
            asked = known.address
    if len(asked) != 4:
        return Answer("malformed")
    kind = Kind.ACK if asked == known.address else Kind.NAK
    return _sent(known, kind, request, packet)


def _declined(known: Compiled, request: Request) -> Answer:
    server = request.options.get(Option.SERVER, known.server)
    if server != known.server:
        return Answer("other_server")
    return Answer(
        "decline", note="says that somebody else uses the address that it is to have"
    )


def _sent(known: Compiled, kind: Kind, request: Request, packet: Packet) -> Answer:
    frame = reply(known, kind, request, _where(known, kind, request, packet))
    # What has to go back with it may be too much.
    return Answer(_OUTCOMES[kind], frame) if frame else Answer("malformed")


def _where(known: Compiled, kind: Kind, request: Request, packet: Packet) -> Where:
    """Return whom an answer goes to (RFC 2131, 4.1)."""
    mac = packet.source or request.hardware
    if request.relay != NOWHERE:
        return Where(mac, request.relay, SERVER_PORT)
    if kind is Kind.NAK:
        return Where(EVERYBODY, EVERYWHERE)
    if request.client != NOWHERE:
        return Where(mac, request.client)
    if request.kind == Kind.INFORM:
        return _where_informed(mac, request)
    if request.broadcast:
        return Where(EVERYBODY, EVERYWHERE)
    return Where(request.hardware, known.address)


def _where_informed(mac: bytes, request: Request) -> Where:
    # A client that does not say which address it has sends from it, if it has one.
    if request.source == NOWHERE or request.broadcast:
        return Where(EVERYBODY, EVERYWHERE, CLIENT_PORT)
    return Where(mac, request.source)
