"""Addresses of network interfaces: MAC, IPv4 and IPv6."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address


def mac_address(prefix: str, random_bytes: Callable[[int], bytes]) -> str:
    """
    Return a MAC address that begins with a prefix; the rest is random.

    :param prefix: Whole octets, as in ``aa:00:0b``; locally administered, unicast.
    """
    octets = prefix.split(":")
    rest = random_bytes(6 - len(octets))
    return ":".join([*octets, *(f"{octet:02x}" for octet in rest)])


def first_free(
    start: IPAddress, end: IPAddress, taken: Iterable[IPAddress]
) -> IPAddress | None:
    """
    Return the lowest address of a pool that is not taken; None when all are.

    :param taken: In ascending order; addresses outside the pool do not matter.
    """
    candidate = int(start)
    for address in taken:
        if int(address) < candidate:
            continue
        if int(address) > candidate:
            break
        candidate += 1
    if candidate > int(end):
        return None
    return type(start)(candidate)


def parse(text: str) -> IPAddress:
    """
    Return the address that a text writes.

    :raises ValueError: It writes none.
    """
    return ip_address(text)
