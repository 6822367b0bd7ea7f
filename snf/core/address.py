"""Addresses of network interfaces: MAC, IPv4 and IPv6."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address


def mac_address(prefix: str, random_bytes: Callable[[int], bytes]) -> str:
    """
    Return a MAC address that begins with a prefix; the rest is random.

    :param prefix: Some hexadecimal digits, as in ``aa:00:0b`` or ``aa:01:0``; locally
        administered, unicast.
    """
    begun = prefix.replace(":", "")
    missing = 12 - len(begun)
    digits = begun + random_bytes((missing + 1) // 2).hex()[-missing:]
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def eui64(cidr: str, mac: str) -> IPv6Address:
    """
    Return the address that a MAC address makes in a /64 (RFC 4291, appendix A).

    :raises ValueError: The prefix is longer than that.
    """
    whole = IPv6Network(cidr)
    if whole.prefixlen > 64:
        raise ValueError(f"{cidr} has no room for EUI-64")
    octets = bytes.fromhex(mac.replace(":", ""))
    half = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return whole.network_address + int.from_bytes(half)
