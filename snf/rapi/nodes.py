"""Ganeti's nodes, as its remote API tells of them, and what they have together."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from snf.core.placement import Capacity

# What a node query has to ask for; see ``parse``.  The storage pool (sp...) is where
# the files of file-based disks are, on clusters without a volume group.
FIELDS = (
    "name",
    "offline",
    "drained",
    "vm_capable",
    "mtotal",
    "mfree",
    "dtotal",
    "dfree",
    "sptotal",
    "spfree",
    "ctotal",
    "pinst_cnt",
)


@frozen
class Node:
    """One node; memory and disk in MiB, 0 where it does not tell."""

    name: str
    usable: bool
    ram_total_mib: int
    ram_free_mib: int
    disk_total_mib: int
    disk_free_mib: int
    cpus: int
    instances: int


@frozen
class Home:
    """
    Where an instance runs, or would.

    :ivar node: Its primary node.
    :ivar address: That node's primary IP address.
    """

    node: str
    address: str


def parse(values: Mapping[str, Any]) -> Node:
    """
    Return the node that the values of ``FIELDS`` make.

    :raises LookupError, TypeError, ValueError: They make none.
    """
    pool = "d" if values["dtotal"] else "sp"
    return Node(
        name=str(values["name"]),
        usable=values["vm_capable"] is not False
        and not values["offline"]
        and not values["drained"],
        ram_total_mib=_number(values["mtotal"]),
        ram_free_mib=_number(values["mfree"]),
        disk_total_mib=_number(values[f"{pool}total"]),
        disk_free_mib=_number(values[f"{pool}free"]),
        cpus=_number(values["ctotal"]),
        instances=_number(values["pinst_cnt"]),
    )


def capacity(nodes: Iterable[Node]) -> Capacity:
    """Return what the nodes have together that may have instances."""
    usable = [node for node in nodes if node.usable]
    return Capacity(
        nodes=len(usable),
        cpus=sum(node.cpus for node in usable),
        ram_total_mib=sum(node.ram_total_mib for node in usable),
        ram_free_mib=sum(node.ram_free_mib for node in usable),
        disk_total_mib=sum(node.disk_total_mib for node in usable),
        disk_free_mib=sum(node.disk_free_mib for node in usable),
        instances=sum(node.instances for node in usable),
    )


def _number(value: Any) -> int:
    # A node that does not answer tells nothing of itself.
    return 0 if value is None else int(value)
