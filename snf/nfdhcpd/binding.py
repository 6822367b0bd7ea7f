"""What is to be answered on a tap: the files that ifup scripts write, of both dialects.

A file has a ``KEY=VALUE`` a line; keys that are not known are passed over, and an empty
value is as none.  The older dialect names a routing table, ``LINK``, in place of subnets
and gateways.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
)
from typing import Any

from attrs import evolve, frozen

from snf.nfdhcpd.option import parse_option

_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_INTERFACE = re.compile(r"(?!\.{1,2}$)[^\s/:\0]{1,15}")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?")


class Invalid(Exception):
    """
    A file makes no sense.

    :ivar line: The number of the line; 0 is the whole file.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


Route4 = tuple[IPv4Network, IPv4Address]
Route6 = tuple[IPv6Network, IPv6Address]
Addresses = tuple[IPv4Address | IPv6Address, ...]


@frozen
class Binding:
    """
    A tap's guest, and what it is to be told.

    :ivar indev: The interface that the kernel says its packets come from: the bridge, or
        the tap itself where the node routes for it.
    :ivar link: The routing table to take subnets and gateways from; "" is none.
    :ivar private: Whether the guest is told no router.
    :ivar any_mac: Whether it may ask from MAC addresses other than its own.
    :ivar options: DHCPv4 options by their codes.
    :ivar link_local: The node's own IPv6 address on ``indev``, which no file says.
    """

    tap: str
    indev: str
    mac: bytes
    hostname: str
    ip: IPv4Address | None = None
    subnet: IPv4Network | None = None
    gateway: IPv4Address | None = None
    eui64: IPv6Address | None = None
    subnet6: IPv6Network | None = None
    gateway6: IPv6Address | None = None
    link: str = ""
    tags: tuple[str, ...] = ()
    mtu: int | None = None
    private: bool = False
    any_mac: bool = False
    nameservers: Addresses = ()
    routes: tuple[Route4 | Route6, ...] = ()
    domain: str = ""
    ntp: Addresses = ()
    next_server: IPv4Address | None = None
    server_name: str = ""
    boot_file: str = ""
    options: tuple[tuple[int, bytes], ...] = ()
    link_local: IPv6Address | None = None

    @property
    def routed(self) -> bool:
        """Whether the node routes for the guest; else it is on a bridge."""
        return self.indev == self.tap

    @property
    def nameservers4(self) -> tuple[IPv4Address, ...]:
        """Those of its name servers that DHCPv4 can tell."""
        return _of_family4(self.nameservers)

    @property
    def nameservers6(self) -> tuple[IPv6Address, ...]:
        """Those of its name servers that router advertisements and DHCPv6 can tell."""
        return _of_family6(self.nameservers)

    @property
    def ntp4(self) -> tuple[IPv4Address, ...]:
        """Those of its time servers that DHCPv4 can tell."""
        return _of_family4(self.ntp)

    @property
    def ntp6(self) -> tuple[IPv6Address, ...]:
        """Those of its time servers that DHCPv6 can tell."""
        return _of_family6(self.ntp)

    @property
    def routes4(self) -> tuple[Route4, ...]:
        """Those of its routes that DHCPv4 can tell."""
        return tuple(
            (network, via)
            for network, via in self.routes
            if isinstance(network, IPv4Network) and isinstance(via, IPv4Address)
        )

    @property
    def routes6(self) -> tuple[Route6, ...]:
        """Those of its routes that router advertisements can tell."""
        return tuple(
            (network, via)
            for network, via in self.routes
            if isinstance(network, IPv6Network) and isinstance(via, IPv6Address)
        )


def parse(tap: str, text: str) -> Binding:
    """
    Return what a file says.

    :raises Invalid: A value is none of its kind, or MAC or HOSTNAME is missing.
    """
    found: dict[str, Any] = {"tap": tap, "indev": tap}
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.strip().partition("=")
        if not key or key.startswith("#"):
            continue
        if not equals:
            raise Invalid(number, f"{_short(key)}: expected KEY=VALUE")
        known = _KEYS.get(key.strip())
        value = value.strip()
        if known is None or not value:
            continue
        name, kind = known
        try:
            made = kind(value)
        except ValueError as failure:
            raise Invalid(number, f"{key.strip()}: {failure}") from None
        # NAMESERVERS6 are added to NAMESERVERS.
        found[name] = found.get(name, ()) + made if name == "nameservers" else made
    for key in ("MAC", "HOSTNAME"):
        if _KEYS[key][0] not in found:
            raise Invalid(0, f"{key} is missing")
    return Binding(**found)


def completed(binding: Binding, of_table: Callable[[str, int], Any]) -> Binding:
    """
    Return a binding of the older dialect with what its routing table says.

    :param of_table: ``(table, family)`` to ``(gateway, subnet)``, either of them ``None``.
    """
    if binding.link and binding.subnet is None and binding.gateway is None:
        gateway, subnet = of_table(binding.link, 4)
        binding = evolve(binding, gateway=gateway, subnet=subnet)
    if binding.link and binding.subnet6 is None and binding.gateway6 is None:
        gateway, subnet = of_table(binding.link, 6)
        binding = evolve(binding, gateway6=gateway, subnet6=subnet)
    if binding.eui64 is None and binding.subnet6 is not None:
        binding = evolve(binding, eui64=eui64(binding.subnet6, binding.mac))
    return binding


def eui64(network: IPv6Network, mac: bytes) -> IPv6Address | None:
    """Return the address that a guest makes itself (RFC 4291, A), if it can."""
    if network.prefixlen > 64:
        return None
    lower = bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return network[int.from_bytes(lower, "big")]


def _of_family4(addresses: Addresses) -> tuple[IPv4Address, ...]:
    return tuple(one for one in addresses if isinstance(one, IPv4Address))


def _of_family6(addresses: Addresses) -> tuple[IPv6Address, ...]:
    return tuple(one for one in addresses if isinstance(one, IPv6Address))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _mac(text: str) -> bytes:
    if not _MAC.fullmatch(text):
        raise ValueError(f"{_short(text)} is not a MAC address")
    mac = bytes.fromhex(text.replace(":", ""))
    if mac[0] & 1:
        raise ValueError(f"{text} is the address of a group")
    return mac


def _interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text):
        raise ValueError(f"{_short(text)} is not the name of an interface")
    return text


def _hostname(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{_short(text)} is not a host's name")
    return text


def _table(text: str) -> str:
    return text


def _first_address(text: str) -> IPv4Address:
    return IPv4Address(text.split()[0])


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _addresses(text: str) -> Addresses:
    return tuple(
        IPv6Address(word) if ":" in word else IPv4Address(word) for word in _words(text)
    )


def _network(text: str) -> IPv4Network:
    return IPv4Network(text, strict=False)


def _network6(text: str) -> IPv6Network:
    return IPv6Network(text, strict=False)


def _mtu(text: str) -> int:
    # RFC 2132, 5.1: the least is 68.
    if not text.isascii() or not text.isdigit() or not 68 <= int(text) <= 65_535:
        raise ValueError(f"{_short(text)} is not a number from 68 to 65535")
    return int(text)


def _truth(text: str) -> bool:
    return text.lower() not in ("no", "false", "off", "0")


def _routes(text: str) -> tuple[Route4 | Route6, ...]:
    routes: list[Route4 | Route6] = []
    for word in _words(text):
        destination, at, via = word.partition("@")
        if not at:
            raise ValueError(f"{_short(word)}: expected DESTINATION@VIA")
        if ":" in destination:
            routes.append((_network6(destination), IPv6Address(via)))
        else:
            routes.append((_network(destination), IPv4Address(via)))
    return tuple(routes)


def _text(most: int) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if len(text.encode()) > most:
            raise ValueError(f"must be at most {most} octets")
        return text

    return checked


def _options(text: str) -> tuple[tuple[int, bytes], ...]:
    return tuple(parse_option(word) for word in text.split())


_KEYS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "INDEV": ("indev", _interface),
    "MAC": ("mac", _mac),
    "HOSTNAME": ("hostname", _hostname),
    "IP": ("ip", _first_address),
    "SUBNET": ("subnet", _network),
    "GATEWAY": ("gateway", IPv4Address),
    "EUI64": ("eui64", IPv6Address),
    "SUBNET6": ("subnet6", _network6),
    "GATEWAY6": ("gateway6", IPv6Address),
    "LINK": ("link", _table),
    "TAGS": ("tags", _words),
    "MTU": ("mtu", _mtu),
    "PRIVATE": ("private", _truth),
    "MACSPOOF": ("any_mac", _truth),
    "NAMESERVERS": ("nameservers", _addresses),
    "NAMESERVERS6": ("nameservers", _addresses),
    "ROUTES": ("routes", _routes),
    "DOMAIN": ("domain", _hostname),
    "NTP": ("ntp", _addresses),
    "NEXT_SERVER": ("next_server", IPv4Address),
    "SERVER_NAME": ("server_name", _text(63)),
    "BOOT_FILE": ("boot_file", _text(127)),
    "OPTIONS": ("options", _options),
}
