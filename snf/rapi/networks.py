"""Ganeti's networks: what to ask of them, and what is told of its node groups.

All of it may be asked for twice: Ganeti says that there is a network of that name, and
what is connected already, or no longer, it leaves as it is.
"""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from snf.core.wiring import DHCP, Wiring
from snf.rapi.orders import TAGS_AT_ONCE, Request


@frozen
class Found:
    """A network as a cluster has it; what it has not is None."""

    gateway4: str | None
    gateway6: str | None
    tags: frozenset[str]


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


def look(name: str) -> Request:
    """Return the request that asks what a network is."""
    return Request("GET", f"/2/networks/{name}")


def found(content: Any) -> Found:
    """
    Return what an answer says of a network.

    :raises LookupError, TypeError: It makes no sense.
    """
    return Found(
        gateway4=content["gateway"],
        gateway6=content["gateway6"],
        tags=frozenset(map(_name, content["tags"])),
    )


# Ganeti lets gateways be replaced, and not be taken away (lib/opcodes.py has addresses
# there, and nothing else): these tags tell the nodes not to heed them.
NO_GATEWAY4, NO_GATEWAY6 = "snf:no-gateway:4", "snf:no-gateway:6"


def changes(wiring: Wiring, found: Found) -> Iterator[Request]:
    """
    Return the requests that make a network what it is to be, other than its ranges.

    There are none where it is that.  Tags that an operator has given it stay.
    """
    gateways = (
        ("gateway", wiring.gateway4, found.gateway4, NO_GATEWAY4),
        ("gateway6", wiring.gateway6, found.gateway6, NO_GATEWAY6),
    )
    told = {
        name: str(wanted)
        for name, wanted, there, _ in gateways
        if wanted is not None and str(wanted) != there
    }
    ignored = {tag for _, wanted, there, tag in gateways if there and wanted is None}
    wanted = {*wiring.tags, *ignored}
    surplus = {tag for tag in found.tags - wanted if _is_changeable(tag)}
    path = f"/2/networks/{wiring.name}"
    if told:
        yield Request("PUT", f"{path}/modify", _reason(wiring.name), told)
    for method, tags in (("PUT", wanted - found.tags), ("DELETE", surplus)):
        ordered = sorted(tags)
        for start in range(0, len(ordered), TAGS_AT_ONCE):
            chosen = ordered[start : start + TAGS_AT_ONCE]
            query = [("tag", tag) for tag in chosen]
            yield Request(method, f"{path}/tags", (*query, *_reason(wiring.name)), {})


def _is_changeable(tag: str) -> bool:
    return tag == DHCP or tag.startswith("snf:")


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
