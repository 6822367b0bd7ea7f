"""Where instances' displays are, as Ganeti's remote API tells of them.

Its own call for consoles fails for an instance with a display and no serial console
(Ganeti 3.0.2: "Can't parse value for 'display'").
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from attrs import frozen

# What an instance query has to ask for; the node of the instance is not asked for it.
FIELDS = ("pnode", "network_port", "hv/vnc_bind_address")
NODE_FIELDS = ("pip",)


@frozen
class Display:
    """
    An instance's display.

    :ivar node: The instance's node.
    :ivar host: Where it listens; empty where that is nowhere that others reach.
    :ivar port: None for an instance that has no display.
    """

    node: str
    host: str
    port: int | None


def parse(values: Mapping[str, Any], address: str) -> Display:
    """
    Return the display that the values of ``FIELDS`` tell of.

    :param address: The node's own.
    :raises LookupError, TypeError, ValueError: They make no sense.
    """
    port = values["network_port"]
    return Display(
        node=str(values["pnode"]),
        host=_host(values["hv/vnc_bind_address"], address),
        port=None if port is None else int(port),
    )


def _host(bound: Any, address: str) -> str:
    if not bound:
        return ""
    where = ip_address(str(bound))
    if where.is_unspecified:
        return str(ip_address(address))
    # The node's own loopback is not ours.
    return "" if where.is_loopback else str(where)
