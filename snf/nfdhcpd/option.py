"""DHCP options (RFC 2132) as octets."""

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network

_LONGEST = 255

# What a binding or the configuration may not set, since each answer has its own.
_RESERVED = frozenset((0, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 82, 255))


class Option(IntEnum):
    """Those that nfdhcpd knows by name."""

    PAD = 0
    NETMASK = 1
    ROUTER = 3
    NAMESERVERS = 6
    HOSTNAME = 12
    DOMAIN = 15
    MTU = 26
    BROADCAST = 28
    NTP = 42
    REQUESTED = 50
    LEASE = 51
    OVERLOAD = 52
    KIND = 53
    SERVER = 54
    PARAMETERS = 55
    MESSAGE = 56
    LONGEST = 57
    RENEWAL = 58
    REBINDING = 59
    CLIENT = 61
    RELAY = 82
    ROUTES = 121
    END = 255


def encoded(code: int, value: bytes) -> bytes:
    """Return an option as it is sent; one that is too long as several (RFC 3396)."""
    if len(value) <= _LONGEST:
        return bytes((code, len(value))) + value
    pieces = (value[at : at + _LONGEST] for at in range(0, len(value), _LONGEST))
    return b"".join(encoded(code, one) for one in pieces)


def decoded(octets: bytes, found: dict[int, bytes]) -> bool:
    """
    Add the options of a field to those found; several of a code are one (RFC 3396).

    :return: Whether the field is well formed.
    """
    at, end = 0, len(octets)
    while at < end:
        code = octets[at]
        at += 1
        if code == Option.END:
            return True
        if code == Option.PAD:
            continue
        if at == end:
            return False
        first = at + 1
        at = first + octets[at]
        if at > end:
            return False
        value = octets[first:at]
        found[code] = found[code] + value if code in found else value
    return True


def parse_option(text: str) -> tuple[int, bytes]:
    """
    Return the code and the value of ``CODE:hex:DIGITS`` or ``CODE:text:LETTERS``.

    :raises ValueError: It is not of that form, or not for the operator to set.
    """
    number, _, rest = text.partition(":")
    form, _, value = rest.partition(":")
    if not number.isascii() or not number.isdigit() or not 0 < int(number) < 255:
        raise ValueError(f"{text!r}: the code must be from 1 to 254")
    if int(number) in _RESERVED:
        raise ValueError(f"{text!r}: option {int(number)} is set by the server")
    if form == "text" and value:
        return int(number), value.encode()
    if form != "hex" or not value:
        raise ValueError(f"{text!r}: must be CODE:hex:DIGITS or CODE:text:LETTERS")
    try:
        return int(number), bytes.fromhex(value)
    except ValueError:
        raise ValueError(f"{text!r}: has an odd number of digits, or others") from None


def static_routes(routes: Iterable[tuple[IPv4Network, IPv4Address]]) -> bytes:
    """Return the value of the option of classless static routes (RFC 3442)."""
    value = b""
    for network, via in routes:
        significant = (network.prefixlen + 7) // 8
        value += bytes((network.prefixlen,))
        value += network.network_address.packed[:significant] + via.packed
    return value
