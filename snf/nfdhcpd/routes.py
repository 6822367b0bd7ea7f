"""What a routing table says of a subnet, for bindings of the older dialect.

The kernel is asked by rtnetlink(7): a program would hold up everything while it starts.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path

from attrs import frozen

from snf.nfdhcpd.netlink import attributes, listed

_TABLES = (
    Path("/etc/iproute2/rt_tables"),
    *sorted(Path("/etc/iproute2/rt_tables.d").glob("*.conf")),
    Path("/usr/share/iproute2/rt_tables"),
    Path("/usr/lib/iproute2/rt_tables"),
)
_WELL_KNOWN = {"default": 253, "main": 254, "local": 255}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_ROUTE = struct.Struct("=8BI")
_GETROUTE = 26
_DESTINATION, _DEVICE, _GATEWAY, _TABLE = 1, 4, 5, 15
_UNICAST = 1

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@frozen
class _Route:
    table: int
    device: int
    destination: Network | None
    gateway: Address | None


def of_table(table: str, family: int) -> tuple[Address | None, Network | None]:
    """
    Return the default gateway of a table, and the subnet of the device it is behind.

    :param table: Its name or number; one that is not known has nothing.
    :param family: 4 or 6.
    """
    number = _number(table)
    if number is None:
        return None, None
    routes = [one for one in _all(family) if one.table == number]
    gateway, device = None, None
    for route in routes:
        if route.gateway is not None and route.destination is None:
            gateway, device = route.gateway, route.device
            break
    for route in routes:
        here = device is None or route.device == device
        if here and route.gateway is None and route.destination is not None:
            return gateway, route.destination
    return gateway, None


def _number(table: str) -> int | None:
    if table.isascii() and table.isdigit():
        return int(table)
    for path in _TABLES:
        try:
            lines = path.read_text("utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split("#")[0].split()
            if len(words) == 2 and words[1] == table and words[0].isdigit():
                return int(words[0])
    return _WELL_KNOWN.get(table)


def _all(family: int) -> Iterator[_Route]:
    """
    Yield the unicast routes of all tables, but for single and link-local addresses.

    :raises OSError: The kernel does not say.
    """
    body = _ROUTE.pack(_FAMILIES[family], 0, 0, 0, 0, 0, 0, 0, 0)
    for message in listed(_GETROUTE, body):
        route = _parsed(message, family)
        if route is not None:
            yield route


def _parsed(message: bytes, family: int) -> _Route | None:
    _, bits, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(message)
    if kind != _UNICAST:
        return None
    found = attributes(message, _ROUTE.size)
    destination = None
    if bits:
        # Guests' own addresses are in these tables, too.
        if bits == (32 if family == 4 else 128):
            return None
        destination = ip_network((found[_DESTINATION], bits))
        if destination.is_link_local:
            return None
    gateway = ip_address(found[_GATEWAY]) if _GATEWAY in found else None
    number = struct.unpack("=I", found[_TABLE])[0] if _TABLE in found else table
    device = struct.unpack("=I", found[_DEVICE])[0] if _DEVICE in found else 0
    return _Route(number, device, destination, gateway)
