"""The switch to which the nodes and the host are connected: one network.

It has guests' traffic, and what nodes send each other.  It is in a namespace of its own:
there it outlives any node, and the host's packet filters do not see what passes.
"""

from attrs import frozen

from snf.allinone.bridge import Bridge, attempt, connect, ip
from snf.allinone.layout import Instance, Layout, Node
from snf.allinone.public import LAST_METRIC, Public

UPLINK = "uplink"
"""What nodes call their interface to it."""

_HOST = "host"


@frozen
class Switch:
    """The switch of one all-in-one."""

    layout: Layout
    instance: Instance

    @property
    def bridge(self) -> Bridge:
        """What it is."""
        return Bridge(self.instance.switch, self.layout.log)

    @property
    def public(self) -> Public:
        """The network of the guests, which it carries too."""
        return Public(self.layout.log, self.instance)

    def up(self) -> None:
        """
        Have it, connected to the host.

        :raises Failure: The kernel refuses.
        """
        log, bridge = self.layout.log, self.bridge
        # While all is down, what is addressed to it must not leave the machine.
        ip(log, "route", "replace", *self._unreachable)
        self.public.guard()
        if not bridge.is_there():
            bridge.remove()
            bridge.make()
        if not bridge.has(_HOST):
            self._connect()
        self.public.attach()

    def _connect(self) -> None:
        log, bridge, link = self.layout.log, self.bridge, self.instance.host_link
        address = f"{self.instance.host_address}/{self.instance.network.prefixlen}"
        attempt("ip", "link", "del", link)
        ip(log, "link", "add", link, *bridge.peer(_HOST))
        ip(log, "addr", "add", address, "dev", link)
        ip(log, "link", "set", link, "up")
        bridge.plug(_HOST)

    def plug(self, node: Node, bridge: Bridge) -> None:
        """Have a node's bridge connected, and the node route for its guests."""
        connect(bridge, UPLINK, self.bridge, node.short_name)
        self.public.route(bridge)

    def down(self) -> None:
        """Remove it, and the host's link to it."""
        self.public.detach()
        attempt("ip", "link", "del", self.instance.host_link)
        self.bridge.remove()

    def forget(self) -> None:
        """Remove the last trace: the route that keeps packets from leaving."""
        attempt("ip", "route", "del", *self._unreachable)
        self.public.forget()

    @property
    def _unreachable(self) -> tuple[str, ...]:
        return ("unreachable", str(self.instance.network), "metric", LAST_METRIC)
