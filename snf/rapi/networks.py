"""Ganeti's networks: what to ask of them, and what is told of its node groups.

All of it may be asked for twice: Ganeti says that there is a network of that name, and
what is connected already, or no longer, it leaves as it is.
"""

from typing import Any

from snf.core.wiring import Wiring
from snf.rapi.orders import Request


def add(wiring: Wiring) -> Request:
    """Return the request that makes a network."""
    told = {
        "network_name": wiring.name,
        "network": wiring.range_told,
        "gateway": wiring.gateway4 and str(wiring.gateway4),
        "network6": wiring.range6 and str(wiring.range6),
        "gateway6": wiring.gateway6 and str(wiring.gateway6),
        "mac_prefix": wiring.mac_prefix,
    }
    body: dict[str, object] = {key: value for key, value in told.items() if value}
    body |= {"tags": list(wiring.tags), "conflicts_check": False}
    return Request("POST", "/2/networks", _reason(wiring.name), body)


def connect(wiring: Wiring, group: str) -> Request:
    """Return the request that lets the nodes of a group have NICs on a network."""
    body = {
        "group_name": group,
        "network_mode": wiring.mode,
        "network_link": wiring.link,
        "conflicts_check": False,
    }
    path = f"/2/networks/{wiring.name}/connect"
    return Request("PUT", path, _reason(wiring.name), body)


def disconnect(name: str, group: str) -> Request:
    """Return the request that undoes a connection; there must be no NICs."""
    path = f"/2/networks/{name}/disconnect"
    return Request("PUT", path, _reason(name), {"group_name": group})


def remove(name: str) -> Request:
    """Return the request that removes a network that is connected to no group."""
    return Request("DELETE", f"/2/networks/{name}", _reason(name), {})


def groups(content: Any) -> tuple[str, ...]:
    """
    Return the names of the node groups in an answer.

    :raises LookupError, TypeError: It is none.
    """
    return tuple(sorted(_name(group["name"]) for group in content))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a name")
    return value


def _reason(name: str) -> tuple[tuple[str, str], ...]:
    return (("reason", f"cyclades network {name}"),)
