"""The public network: its nodes route it, in both families, and the host is its outside.

Guests reach the host and each other there, and nothing else: whatever they send beyond
is refused by a rule of the host, also where that forwards packets for others.
"""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from attrs import frozen

from snf.allinone.bridge import BRIDGE, Bridge, attempt, ip
from snf.allinone.failure import Failure
from snf.allinone.layout import Instance
from snf.allinone.process import run

TABLE = "200"
"""The routing table of the nodes that leads out of it; a number needs no file."""

LAST_METRIC = "4278198272"
"""A metric that any real route beats."""

_BRIDGES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")

_PREFERENCE = "213"
"""Of the rule: after the host's own addresses (0), before its routes (32766)."""

_UNFILTERED = (
    "for name in all {device}; do echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter; done"
)


@frozen
class Public:
    """The public network of one all-in-one.  ``log`` gets what is run."""

    log: Path
    instance: Instance

    @property
    def gateway4(self) -> IPv4Address:
        """The host's address on it."""
        return self.instance.public4[1]

    @property
    def gateway6(self) -> IPv6Address:
        """The host's IPv6 address on it."""
        return self.instance.public6[1]

    def guard(self) -> None:
        """Have nothing that is addressed to it leave the machine while all is down."""
        for family, route in self._unreachable:
            ip(self.log, family, "route", "replace", *route)

    def attach(self) -> None:
        """Have the host's link lead to it, and nowhere beyond.

        :raises Failure: The kernel refuses.
        """
        link, public = self.instance.host_link, self.instance
        switched = Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6")
        if switched.exists():
            switched.write_text("0\n")  # some machines have it off by default
        for family in ("-4", "-6"):
            attempt("ip", *self._rule(family, "del"))
            ip(self.log, *self._rule(family, "add"))
        address4 = f"{self.gateway4}/{public.public4.prefixlen}"
        address6 = f"{self.gateway6}/{public.public6.prefixlen}"
        ip(self.log, "addr", "replace", address4, "dev", link)
        ip(self.log, "addr", "replace", address6, "dev", link, "nodad")

    def detach(self) -> None:
        """Remove the rules that go with the host's link."""
        for family in ("-4", "-6"):
            attempt("ip", *self._rule(family, "del"))

    def forget(self) -> None:
        """Remove the last trace: the routes that keep packets from leaving."""
        for family, route in self._unreachable:
            attempt("ip", family, "route", "del", *route)

    def route(self, bridge: Bridge) -> None:
        """Give a node the routing table by which its guests get out."""
        for family, subnet, gateway in (
            ("-4", self.instance.public4, self.gateway4),
            ("-6", self.instance.public6, self.gateway6),
        ):
            out = ("dev", BRIDGE, "table", TABLE)
            via = ("via", str(gateway))
            bridge.ip(family, "route", "replace", str(subnet), *out)
            bridge.ip(family, "route", "replace", "default", *via, *out, "onlink")
        # A node has no other way to the outside, by which senders are judged.
        bridge.shell(_UNFILTERED.format(device=BRIDGE))

    @property
    def _unreachable(self) -> list[tuple[str, tuple[str, ...]]]:
        return [
            (family, ("unreachable", str(subnet), "metric", LAST_METRIC))
            for family, subnet in (
                ("-4", self.instance.public4),
                ("-6", self.instance.public6),
            )
        ]

    def _rule(self, family: str, verb: str) -> tuple[str, ...]:
        words = ("pref", _PREFERENCE, "iif", self.instance.host_link, "unreachable")
        return (family, "rule", verb, *words)


def bridges_are_filtered(log: Path) -> bool:
    """Return whether the firewall sees what bridges forward, as private networks need.

    Debian has that as a module, which is loaded here; other kernels have it built in.
    """
    if not _BRIDGES.exists():
        with suppress(Failure):
            run(["modprobe", "br_netfilter"], log, "loading br_netfilter")
    return _BRIDGES.exists()
