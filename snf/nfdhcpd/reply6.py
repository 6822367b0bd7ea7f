"""DHCPv6 answers, compiled when a binding is read and patched for each packet.

What is kept is the frame up to the options, and each option; a reply is a copy of the first
with some fields set, and what belongs to its message.
"""

import struct
from collections.abc import Iterable, Sequence

from attrs import frozen

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.frame6 import addresses, dhcp_option, names, started
from snf.nfdhcpd.request6 import Ia, Kind, Option, Request
from snf.nfdhcpd.settings import Ipv6
from snf.nfdhcpd.wire6 import (
    BODY,
    CLIENT_PORT,
    IP,
    SERVER_PORT,
    UDP,
    domains_of,
    domains_within,
    finish,
    servers_within,
    source_of,
)

SUCCESS, NO_ADDRESS, NOT_ON_LINK, NO_PREFIX = 0, 2, 4, 6
_WORDS = {
    SUCCESS: "done",
    NO_ADDRESS: "no more addresses",
    NOT_ON_LINK: "not your address here",
    NO_PREFIX: "no prefixes",
}

_MESSAGE, _OPTIONS, _CHECKSUM = BODY + 8, BODY + 12, 6
_IA = struct.Struct("!2H4s")
_TIMES = struct.Struct("!2I")
# Octets for names, so that there is always room for the longest of everything else: a
# client's identifier of 134, four IAs, and four addresses that are the client's no more.
_NAMES = 640
_MOST_STALE = 4
_HEAD = 4  # code and length of an option
_DUID_LL, _ETHERNET = 3, 1  # RFC 8415, 11.4
_NTP_ADDRESS = 1  # RFC 5908, 4.1


@frozen
class Compiled:
    """
    What a guest is told.

    :ivar address: Its address, as octets; empty if there is none to be had.
    :ivar server: What the server calls itself, as octets.
    :ivar frame: An answer up to its options.
    :ivar lease: The option with its address.
    :ivar times: When it is asked for again, as it is in an IA.
    :ivar names: The options of name servers, domains and time servers.
    """

    mac: bytes
    any_mac: bool
    address: bytes
    server: bytes
    frame: bytes
    head: bytes
    lease: bytes
    times: bytes
    names: bytes
    statuses: dict[int, bytes]
    preference: bytes
    rapid: bytes


def compiled(settings: Ipv6, binding: Binding, mac: bytes) -> Compiled | None:
    """Return what a guest is told, if it is to have an address."""
    if binding.subnet6 is None:
        return None
    source = source_of(binding, mac)
    duid = struct.pack("!2H6s", _DUID_LL, _ETHERNET, mac)
    frame = (
        started(binding.mac, mac, source, UDP, 64)
        + struct.pack("!4H", SERVER_PORT, CLIENT_PORT, 0, 0)
        + bytes((Kind.REPLY, 0, 0, 0))
    )
    lease = b""
    if binding.eui64 is not None:
        times = (settings.lease_s, settings.lease_s)
        value = struct.pack("!16s2I", binding.eui64.packed, *times)
        lease = dhcp_option(Option.ADDRESS, value)
    return Compiled(
        binding.mac,
        binding.any_mac,
        binding.eui64.packed if binding.eui64 is not None else b"",
        duid,
        frame,
        dhcp_option(Option.SERVER, duid),
        lease,
        _TIMES.pack(settings.renewal_s, settings.rebinding),
        _names(settings, binding),
        {
            code: dhcp_option(Option.STATUS, struct.pack("!H", code) + text.encode())
            for code, text in _WORDS.items()
        },
        dhcp_option(Option.PREFERENCE, b"\xff"),
        dhcp_option(Option.RAPID_COMMIT, b""),
    )


def reply(
    known: Compiled, kind: Kind, request: Request, mac: bytes, *parts: bytes
) -> bytes:
    """Return a frame that answers a client with some options."""
    frame = bytearray(known.frame)
    frame[0:6] = mac
    frame[IP + 24 : BODY] = request.source
    frame[_MESSAGE : _MESSAGE + 4] = bytes((kind,)) + request.transaction
    frame += known.head
    if request.client is not None:
        frame += struct.pack("!2H", Option.CLIENT, len(request.client))
        frame += request.client
    for part in parts:
        frame += part
    return finish(frame, UDP, _CHECKSUM)


def leases(known: Compiled, request: Request, has_some: bool) -> Iterable[bytes]:
    """
    Yield what each of a client's IAs gets: one of them the address, the others none.

    :param has_some: Whether the addresses that it names are those that it uses, so that
        it has to be told which to give up.
    """
    chosen = _chosen(known, request.ias)
    for ia in request.ias:
        if ia is chosen:
            yield _ia(ia, known.times + known.lease + _given_up(known, ia, has_some))
        elif ia.code == Option.IA_NA:
            yield _ia(ia, bytes(8) + known.statuses[NO_ADDRESS])
        elif ia.code == Option.IA_PD:
            yield _ia(ia, bytes(8) + known.statuses[NO_PREFIX])
        else:
            yield _ia(ia, known.statuses[NO_ADDRESS])


def _chosen(known: Compiled, ias: Sequence[Ia]) -> Ia | None:
    """Return the IA that has the address already, or else the first that may."""
    able = [ia for ia in ias if ia.code == Option.IA_NA and known.address]
    having = [ia for ia in able if known.address in ia.addresses]
    return next(iter(having or able), None)


def _given_up(known: Compiled, ia: Ia, has_some: bool) -> bytes:
    """Return the addresses that a client must not use any more (RFC 8415, 18.3.4)."""
    stale = [one for one in ia.addresses if one != known.address] if has_some else []
    return b"".join(
        struct.pack("!2H16s2I", Option.ADDRESS, 24, one, 0, 0)
        for one in stale[:_MOST_STALE]
    )


def _ia(ia: Ia, inner: bytes) -> bytes:
    return _IA.pack(ia.code, 4 + len(inner), ia.identifier) + inner


def _names(settings: Ipv6, binding: Binding) -> bytes:
    given = tuple(map(str, binding.nameservers6)) or settings.nameservers
    found = b""
    servers = servers_within(given, _NAMES - _HEAD)
    if servers:
        found = dhcp_option(Option.NAMESERVERS, addresses(servers))
    domains = domains_of(binding, settings.domains)
    domains = domains_within(domains, _NAMES - len(found) - _HEAD)
    if domains:
        found += dhcp_option(Option.DOMAINS, names(domains))
    # Each server is in an option of its own (RFC 5908, 4).
    for text in tuple(map(str, binding.ntp6)) or settings.ntp_servers:
        inner = dhcp_option(_NTP_ADDRESS, addresses([text]))
        one = dhcp_option(Option.NTP, inner)
        if len(found) + len(one) > _NAMES:
            break
        found += one
    return found
