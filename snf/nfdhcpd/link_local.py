"""The address that a node has on a guest's link.

The kernel is asked by rtnetlink(7) for those of one interface: its list of all is as long
as there are guests, and would be read for each of them.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

from snf.nfdhcpd.link import number_of
from snf.nfdhcpd.netlink import attributes, listed

_ADDRESS = struct.Struct("=4BI")
_GETADDR = 22
# linux/if_addr.h, linux/rtnetlink.h
_IS_ADDRESS, _IS_FLAGS = 1, 8
_LINK_SCOPE, _DADFAILED = 253, 0x08


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
    # Strictly, for else the kernel tells those of all interfaces.
    for message in listed(_GETADDR, body, strict=True):
        found = _parsed(message, number)
        if found is not None:
            yield found


def _parsed(message: bytes, number: int) -> IPv6Address | None:
    _, _, flags, scope, index = _ADDRESS.unpack_from(message)
    found = attributes(message, _ADDRESS.size)
    if _IS_FLAGS in found:
        [flags] = struct.unpack("=I", found[_IS_FLAGS])
    usable = scope == _LINK_SCOPE and index == number and not flags & _DADFAILED
    return IPv6Address(found[_IS_ADDRESS]) if usable else None
