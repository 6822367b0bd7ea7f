"""Addresses of network interfaces: MAC, IPv4 and IPv6."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

IPAddress = IPv4Address | IPv6Address


def mac_address(prefix: str, random_bytes: Callable[[int], bytes]) -> str:
    """
    Return a MAC address that begins with a prefix; the rest is random.

    :param prefix: Whole octets, as in ``aa:00:0b``; locally administered, unicast.
    """
    octets = prefix.split(":")
    rest = random_bytes(6 - len(octets))
    return ":".join([*octets, *(f"{octet:02x}" for octet in rest)])
