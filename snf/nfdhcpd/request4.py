"""A DHCPv4 client's message as it is on the wire (RFC 2131, 2)."""

import struct
from enum import IntEnum

from attrs import frozen

from snf.nfdhcpd.option import Option, decoded

_UDP = 17
_SERVER_PORT = 67
# Of BOOTP, with the cookie that options follow.
HEADER = struct.Struct("!4B I 2H 4s 4s 4s 4s 16s 64s 128s 4s")
COOKIE = b"\x63\x82\x53\x63"
_BOOTREQUEST = 1
_ETHERNET = 1
_MORE_OR_OFFSET = 0x3FFF


class Kind(IntEnum):
    """The types of messages (RFC 2132, 9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


@frozen
class Request:
    """A client's message; addresses are octets, all 0 where there is none."""

    kind: int
    transaction: int
    flags: int
    client: bytes
    relay: bytes
    hardware: bytes
    source: bytes
    options: dict[int, bytes]

    @property
    def broadcast(self) -> bool:
        """Whether the client cannot be sent to before it has its address."""
        return bool(self.flags & 0x8000)


def parse(packet: bytes) -> Request | None:
    """Return a client's message, from the IP header on; ``None`` if it is none."""
    body = _udp_body(packet)
    if body is None or len(body) < HEADER.size:
        return None
    fields = HEADER.unpack_from(body)
    operation, hardware_type, length, _, transaction, _, flags = fields[:7]
    client, _, _, relay, hardware, server_name, boot_file, cookie = fields[7:]
    if (operation, hardware_type, length) != (_BOOTREQUEST, _ETHERNET, 6):
        return None
    if cookie != COOKIE:
        return None
    options = _options(body[HEADER.size :], boot_file, server_name)
    if options is None or len(options.get(Option.KIND, b"")) != 1:
        return None
    return Request(
        options[Option.KIND][0],
        transaction,
        flags,
        client,
        relay,
        hardware[:6],
        packet[12:16],
        options,
    )


def _udp_body(packet: bytes) -> bytes | None:
    """Return what a whole datagram to a server holds."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != _UDP:
        return None
    header = (packet[0] & 15) * 4
    total, _, fragment = struct.unpack_from("!3H", packet, 2)
    if fragment & _MORE_OR_OFFSET or header < 20 or total > len(packet):
        return None
    if total < header + 8:
        return None
    _, port, length, _ = struct.unpack_from("!4H", packet, header)
    if port != _SERVER_PORT or not 8 <= length <= total - header:
        return None
    return packet[header + 8 : header + length]


def _options(
    field: bytes, boot_file: bytes, server_name: bytes
) -> dict[int, bytes] | None:
    found: dict[int, bytes] = {}
    if not decoded(field, found):
        return None
    overload = found.get(Option.OVERLOAD, b"\0")
    # RFC 2132, 9.3; the file before the name (RFC 3396, 5).
    more = [boot_file] if overload[-1:] in (b"\1", b"\3") else []
    more += [server_name] if overload[-1:] in (b"\2", b"\3") else []
    return found if all(decoded(one, found) for one in more) else None
