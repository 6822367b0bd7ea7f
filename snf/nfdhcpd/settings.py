"""The settings of nfdhcpd: of our own file, or of the original's."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path

from attrs import frozen

from snf.nfdhcpd import ini
from snf.nfdhcpd.option import parse_option
from snf.toml import build, load

OFF = -1

# RFC 1035, 2.3.1, and underscores, which there are.
_DOMAIN = re.compile(r"(?!.{254})([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")


@frozen
class Process:
    """``[process]``: who the daemon is, and where the command ``nfdhcpd`` puts it."""

    user: str = "nobody"
    pidfile: Path = Path("/run/nfdhcpd.pid")
    logfile: Path = Path("/var/log/nfdhcpd.log")

    def check(self) -> None:
        if not self.user:
            raise ValueError("user: must be a user's name or number")


@frozen
class Bindings:
    """``[bindings]``: the directory with a file a tap."""

    directory: Path = Path("/var/lib/nfdhcpd")


@frozen
class Queues:
    """``[queues]``: which netfilter queue each kind of packet comes from; -1 is none.

    :ivar length: How many packets the kernel keeps for us in each queue.
    """

    dhcp: int = 42
    rs: int = 43
    ns: int = 44
    dhcpv6: int = 45
    length: int = 1024

    def check(self) -> None:
        numbers = {"dhcp": self.dhcp, "rs": self.rs, "ns": self.ns}
        numbers["dhcpv6"] = self.dhcpv6
        taken: dict[int, str] = {}
        for key, number in numbers.items():
            if not OFF <= number <= 65_535:
                raise ValueError(f"{key}: must be from 0 to 65535, or -1 for none")
            if number in taken:
                raise ValueError(f"{key}: is the queue of {taken[number]} already")
            if number != OFF:
                taken[number] = key
        _within("length", self.length, 16, 65_536)


@frozen
class Dhcp:
    """``[dhcp]``: what DHCPv4 answers say that no binding says.

    :ivar server_on_link: Whether the server is called by the subnet's gateway, or by its
        first address where it has none, rather than by ``server_ip``.
    :ivar rebinding_s: 0 is seven eighths of ``lease_s``.
    :ivar options: Further options, each ``CODE:hex:DIGITS`` or ``CODE:text:LETTERS``.
    """

    server_ip: str = "192.0.2.1"
    server_on_link: bool = False
    lease_s: int = 604_800
    renewal_s: int = 3600
    rebinding_s: int = 0
    nameservers: tuple[str, ...] = ()
    domain: str = ""
    ntp_servers: tuple[str, ...] = ()
    next_server: str = ""
    server_name: str = ""
    boot_file: str = ""
    options: tuple[str, ...] = ()

    @property
    def rebinding(self) -> int:
        """When clients are to ask any server, in seconds from the lease's start."""
        return self.rebinding_s or self.lease_s * 7 // 8

    def check(self) -> None:
        address4("server_ip", self.server_ip)
        _within("lease_s", self.lease_s, 60, 2**32 - 1)
        if not 0 < self.renewal_s < self.rebinding < self.lease_s:
            raise ValueError(
                "renewal_s: must be less than rebinding_s, and that less than lease_s"
            )
        for key in ("nameservers", "ntp_servers"):
            for text in getattr(self, key):
                address4(key, text)
        if self.next_server:
            address4("next_server", self.next_server)
        _domain("domain", self.domain)
        _octets("server_name", self.server_name, 63)
        _octets("boot_file", self.boot_file, 127)
        for text in self.options:
            try:
                parse_option(text)
            except ValueError as failure:
                raise ValueError(f"options: {failure}") from None


PREFERENCES = ("low", "medium", "high")
MODES = ("auto", "slaac", "slaac+dhcpv6", "dhcpv6")


@frozen
class Ipv6:
    """``[ipv6]``: what router advertisements and DHCPv6 say that no binding says.

    :ivar ra_period_s: The longest time between two advertisements that nobody asked for.
    :ivar preference: That of the node and of its routes among other routers.
    :ivar lease_s: How long DHCPv6 lends an address.
    """

    mode: str = "auto"
    ra_period_s: int = 300
    preference: str = "medium"
    lease_s: int = 604_800
    renewal_s: int = 3600
    nameservers: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()

    @property
    def rebinding(self) -> int:
        """When clients are to ask any server, in seconds from the lease's start."""
        return self.lease_s * 7 // 8

    def check(self) -> None:
        if self.preference not in PREFERENCES:
            known = ", ".join(PREFERENCES)
            raise ValueError(f"preference: {self.preference!r} is not one of {known}")
        if self.mode not in MODES:
            raise ValueError(f"mode: {self.mode!r} is not one of {', '.join(MODES)}")
        # RFC 4861, 6.2.1: at most half an hour between two advertisements.
        _within("ra_period_s", self.ra_period_s, 4, 1800)
        _within("lease_s", self.lease_s, 60, 2**32 - 2)
        if not 0 < self.renewal_s < self.rebinding:
            raise ValueError("renewal_s: must be less than seven eighths of lease_s")
        for key in ("nameservers", "ntp_servers"):
            for text in getattr(self, key):
                _address6(key, text)
        for domain in self.domains:
            _domain("domains", domain)


@frozen
class Metrics:
    """``[metrics]``: where counters are shown, for Prometheus.

    :ivar port: On 127.0.0.1; 0 is none.
    :ivar textfile: A file that the node exporter collects.
    """

    port: int = 0
    textfile: Path | None = None
    textfile_s: int = 15

    def check(self) -> None:
        _within("port", self.port, 0, 65_535)
        _within("textfile_s", self.textfile_s, 1, 3600)


@frozen
class Nfdhcpd:
    """``nfdhcpd.toml``, the file of ``twistd nfdhcpd``."""

    process: Process = Process()
    bindings: Bindings = Bindings()
    queues: Queues = Queues()
    dhcp: Dhcp = Dhcp()
    ipv6: Ipv6 = Ipv6()
    metrics: Metrics = Metrics()

    @property
    def mode(self) -> str:
        """``[ipv6] mode``, or what ``auto`` stands for."""
        if self.ipv6.mode != "auto":
            return self.ipv6.mode
        return "slaac" if self.queues.dhcpv6 == OFF else "slaac+dhcpv6"

    def check(self) -> None:
        queues = self.queues
        if "dhcpv6" in self.mode and queues.dhcpv6 == OFF and queues.rs != OFF:
            raise ValueError(f"ipv6: mode: {self.mode} needs a queue for DHCPv6")


def read(path: Path) -> Nfdhcpd:
    """
    Read a file: TOML if its name ends so, or else an INI file of the original.

    :raises ConfigError: It cannot be used; the text says why.
    """
    if path.suffix == ".toml":
        return load(path, Nfdhcpd)
    return build(str(path), Nfdhcpd, ini.tables(path))


def address4(key: str, text: str) -> None:
    """Raise ``ValueError`` unless a text is an IPv4 address."""
    try:
        IPv4Address(text)
    except AddressValueError as failure:
        raise ValueError(f"{key}: {failure}") from None


def _address6(key: str, text: str) -> None:
    try:
        IPv6Address(text)
    except AddressValueError as failure:
        raise ValueError(f"{key}: {failure}") from None


def _within(key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{key}: must be from {least} to {most}")


def _octets(key: str, text: str, most: int) -> None:
    if len(text.encode()) > most or "\0" in text:
        raise ValueError(f"{key}: must be at most {most} octets, and none of them 0")


def _domain(key: str, text: str) -> None:
    if text and not _DOMAIN.fullmatch(text):
        raise ValueError(f"{key}: {text!r} is not a domain name")
