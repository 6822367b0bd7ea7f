"""The names that our things carry on a Ganeti cluster."""

import re
from collections.abc import Iterable
from uuid import UUID


def instance_name(prefix: str, server_id: int) -> str:
    """Return the Ganeti instance name of a server: ``snf-42``."""
    return f"{prefix}-{server_id}"


def server_id(prefix: str, name: str) -> int | None:
    """
    Return the id of the server that an instance name stands for.

    None when the instance is not ours: several deployments, and an operator's own
    machines, may share a cluster.
    """
    match = re.fullmatch(rf"{re.escape(prefix)}-([1-9][0-9]{{0,17}})", name)
    return int(match[1]) if match else None


def nic_name(port_id: UUID) -> str:
    """Return the name of a port's NIC, unique within its instance."""
    return f"snf-nic-{port_id}"


def port_id(name: str | None) -> UUID | None:
    """Return the port that a NIC name stands for; None when it is not one of ours."""
    if name is None or not name.startswith("snf-nic-"):
        return None
    try:
        return UUID(name.removeprefix("snf-nic-"))
    except ValueError:
        return None


def network_name(network_id: UUID) -> str:
    """Return the name of a network on the clusters that have it."""
    return f"snf-net-{network_id}"


def order_reason(order_id: UUID) -> str:
    """Return what an order puts into the reason trail of its Ganeti job (ASCII)."""
    return f"cyclades:{order_id}"


def order_id(reason: str) -> UUID | None:
    """Return the order that a reason names; None when it is not one of ours."""
    if not reason.startswith("cyclades:"):
        return None
    try:
        return UUID(reason.removeprefix("cyclades:"))
    except ValueError:
        return None


def osparams_order(parameters: object) -> UUID | None:
    """Return the order that OS parameters name, which stands in for a reason."""
    named = parameters.get(ORDER_PARAMETER) if isinstance(parameters, dict) else None
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


# Ganeti takes no reason for a reinstallation (lib/rapi/rlib2.py).
ORDER_PARAMETER = "order"


# Instances with one and the same tag that begins so are on different nodes: the
# cluster's tag EXCLUSION makes its allocator see to that (Ganeti hail(1), EXCLUSION
# TAGS).
_APART = "cyclades:apart:"
EXCLUSION = f"htools:iextags:{_APART}"


def apart_tag(group: UUID, slot: int) -> str:
    """Return the tag that keeps the members of a server group on different nodes."""
    return f"{_APART}{group}.{slot}"


# What tells an instance's node, for as long as it takes to begin, to make an image of its
# first disk: for which order and by whose leave, and where the cloud is.
_IMAGE_TAG = "cyclades:image:"
_CLOUD_TAG = "cyclades:image-at:"

_TAGGED = re.compile(r"[\w.+*/:@-]{1,128}", re.ASCII)  # Ganeti lib/objects.py, TAG_RE


def image_tags(order: UUID, expires: int, signature: str, url: str) -> frozenset[str]:
    """
    Return the tags by which a node makes an image for an order.

    :raises ValueError: Ganeti cannot have the cloud's URL as a tag.
    """
    tags = {f"{_IMAGE_TAG}{order}:{expires}:{signature}", _CLOUD_TAG + url}
    for tag in tags:
        if not _TAGGED.fullmatch(tag):
            raise ValueError(f"{tag}: is not a tag that Ganeti takes")
    return frozenset(tags)


def of_images(tags: Iterable[str]) -> frozenset[str]:
    """Return those of some tags that :func:`image_tags` has made."""
    return frozenset(tag for tag in tags if tag.startswith((_IMAGE_TAG, _CLOUD_TAG)))


def host_name(name: str, uuid: UUID) -> str:
    """Return what a server with this name calls itself (nova/utils.py, hostnames)."""
    kept = re.sub(r"[^a-z0-9-]+", "", re.sub(r"[ _.]", "-", name.lower()))
    return kept[:63].strip("-") or f"server-{uuid}"
