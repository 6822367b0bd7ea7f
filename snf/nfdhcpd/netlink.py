"""What the kernel lists by rtnetlink(7)."""

import socket
import struct
from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DONE, _ERROR = 3, 2
_REQUEST_DUMP = 0x301
_SOL_NETLINK, _STRICT = 270, 12
_TIMEOUT_S = 1.0


def listed(kind: int, body: bytes, strict: bool = False) -> Iterator[bytes]:
    """
    Yield the messages of a list, without their headers.

    :param kind: Which list, as ``RTM_GETROUTE``.
    :param body: What follows the header of the request.
    :param strict: Have only what fits the body listed, which else says the family alone.
    :raises OSError: The kernel does not say.
    """
    size = _HEADER.size + len(body)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(_TIMEOUT_S)
        if strict:
            netlink.setsockopt(_SOL_NETLINK, _STRICT, 1)
        netlink.bind((0, 0))
        netlink.send(_HEADER.pack(size, kind, _REQUEST_DUMP, 1, 0) + body)
        while True:
            answer = netlink.recv(65_536)
            at = 0
            while at < len(answer):
                length, name, _, _, _ = _HEADER.unpack_from(answer, at)
                if name in (_DONE, _ERROR):
                    return
                yield answer[at + _HEADER.size : at + length]
                at += length + 3 & ~3


def attributes(message: bytes, start: int) -> dict[int, bytes]:
    """Return the attributes of a message, which begin somewhere in it, by their numbers."""
    found: dict[int, bytes] = {}
    at = start
    while at + _ATTRIBUTE.size <= len(message):
        length, name = _ATTRIBUTE.unpack_from(message, at)
        found[name] = message[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    return found
