"""The address that a node has on a guest's link.

The kernel is asked by rtnetlink(7) for those of one interface: its list of all is as long
as there are guests, and would be read for each of them.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

from snf.nfdhcpd.link import number_of

_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=4BI")
_ATTRIBUTE = struct.Struct("=HH")
_GETADDR, _DONE, _ERROR = 22, 3, 2
_REQUEST_DUMP = 0x301
_SOL_NETLINK, _STRICT = 270, 12
# linux/if_addr.h, linux/rtnetlink.h
_IS_ADDRESS, _IS_FLAGS = 1, 8
_LINK_SCOPE, _DADFAILED = 253, 0x08
_TIMEOUT_S = 1.0


def link_local_of(interface: str) -> IPv6Address | None:
    """
    Return an interface's link-local IPv6 address; ``None`` where it has none.

    Of several the lowest: those that are given come before those that the kernel makes.
    """
    number = number_of(interface)
    try:
        return min(_usable(number), default=None) if number else None
    except OSError:  # a kernel without IPv6
        return None


def _usable(number: int) -> Iterator[IPv6Address]:
    body = _ADDRESS.pack(socket.AF_INET6, 0, 0, 0, number)
    size = _HEADER.size + len(body)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(_TIMEOUT_S)
        # Without it the kernel tells those of all interfaces.
        netlink.setsockopt(_SOL_NETLINK, _STRICT, 1)
        netlink.bind((0, 0))
        netlink.send(_HEADER.pack(size, _GETADDR, _REQUEST_DUMP, 1, 0) + body)
        while True:
            answer = netlink.recv(65_536)
            at = 0
            while at < len(answer):
                length, kind, _, _, _ = _HEADER.unpack_from(answer, at)
                if kind in (_DONE, _ERROR):
                    return
                found = _parsed(answer[at + _HEADER.size : at + length], number)
                if found is not None:
                    yield found
                at += length + 3 & ~3


def _parsed(message: bytes, number: int) -> IPv6Address | None:
    _, _, flags, scope, index = _ADDRESS.unpack_from(message)
    found: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(message):
        length, name = _ATTRIBUTE.unpack_from(message, at)
        found[name] = message[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    if _IS_FLAGS in found:
        [flags] = struct.unpack("=I", found[_IS_FLAGS])
    usable = scope == _LINK_SCOPE and index == number and not flags & _DADFAILED
    return IPv6Address(found[_IS_ADDRESS]) if usable else None
