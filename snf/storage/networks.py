"""Networks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from attrs import evolve

from snf.core.errors import Conflict, NotFound
from snf.core.network import (
    InvalidSharedSetting,
    Kind,
    Network,
    NetworkInUse,
    NoNetworkAvailable,
    Plan,
)
from snf.storage import lists
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

COLUMNS = (
    "n.id, n.name, n.mode, n.link, n.created, n.updated, n.project_id, n.shared,"
    " n.external, n.is_default, n.kind, n.segment, n.mac_prefix, n.mtu, n.drained,"
    " n.description, n.tags, n.revision,"
    " ARRAY(SELECT s.id FROM subnet s WHERE s.network_id = n.id ORDER BY s.created, s.id)"
)


def from_row(row: tuple) -> Network:
    """Return the network in a row of :data:`COLUMNS`."""
    tags, revision, subnets = row[16:]
    values = (
        *(*row[:10], Kind(row[10]), *row[11:16]),
        *(tuple(tags), revision, tuple(subnets)),
    )
    return Network(*values)


# A project sees the shared and external ones, and its own.
VISIBLE_TO = "(n.shared OR n.external OR n.project_id = {})"
VISIBLE = VISIBLE_TO.format("%(project)s")
THERE = "n.deleted IS NULL"

_OWNER = Field("coalesce(n.project_id::text, '')")
_TYPE = "CASE n.kind {} END".format(
    " ".join(f"WHEN '{kind.value}' THEN '{kind.neutron}'" for kind in Kind)
)

NETWORKS = Listed(
    columns=COLUMNS,
    source="network n",
    make=from_row,
    id="n.id",
    visible=VISIBLE,
    always=THERE,
    tags="n.tags",
    fields={
        "id": Field("n.id", Type.ID),
        "name": Field("n.name"),
        "description": Field("n.description"),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "status": Field("'ACTIVE'"),
        "admin_state_up": Field("true", Type.FLAG),
        "port_security_enabled": Field("true", Type.FLAG),
        "mtu": Field("n.mtu", Type.NUMBER),
        "shared": Field("n.shared", Type.FLAG),
        "router:external": Field("n.external", Type.FLAG),
        "is_default": Field("n.is_default", Type.FLAG),
        "provider:network_type": Field(_TYPE),
        "provider:physical_network": Field(
            "CASE WHEN n.segment IS NULL THEN n.link ELSE '' END"
        ),
        "provider:segmentation_id": Field(
            "CASE WHEN n.kind IN ('VXLAN', 'PHYSICAL_VLAN') THEN n.segment END",
            Type.NUMBER,
            sorts=False,
        ),
        "SNF:kind": Field("n.kind"),
        "revision_number": Field("n.revision", Type.NUMBER),
    },
)


_OF_IDS = Prepared(
    "networks_of_ids",
    f"SELECT {COLUMNS} FROM network n WHERE n.id = ANY($1) ORDER BY n.id",
)


def of_ids(txn: Transaction, ids: Collection[UUID]) -> list[Network]:
    """Return networks by their ids, whosever they are, also deleted ones."""
    return [from_row(row) for row in _OF_IDS.every(txn, list(ids))]


def named(txn: Transaction, name: str) -> Network | None:
    """Return an operator's network by its name; None when there is none."""
    row = one(
        txn,
        f"SELECT {COLUMNS} FROM network n"
        f" WHERE n.project_id IS NULL AND n.name = %s AND {THERE}",
        (name,),
    )
    return None if row is None else from_row(row)


def add(txn: Transaction, network: Network) -> None:
    """Store a new network; its subnets are added by themselves."""
    row = {
        "id": network.id,
        "name": network.name,
        "project_id": network.project,
        "kind": network.kind.value,
        "segment": network.segment,
        "mode": network.mode,
        "link": network.link,
        "mac_prefix": network.mac_prefix,
        "mtu": network.mtu,
        "drained": network.drained,
        "shared": network.shared,
        "external": network.external,
        "is_default": network.is_default,
        "description": network.description,
        "created": network.created,
        "updated": network.updated,
    }
    txn.execute(
        f"INSERT INTO network ({', '.join(row)})"
        f" VALUES ({', '.join(f'%({name})s' for name in row)})",
        row,
    )


# Whatever picks a number waits for whoever has picked one and not committed.
_SEGMENTS = 0x5E6


def wired(
    txn: Transaction, network: Network, plan: Plan, segment: int | None = None
) -> Network:
    """
    Return a network that is about to be added with a segment and all that follows.

    :param segment: The one that it is to have; None for the lowest that is free.
    :raises NoNetworkAvailable: None is.
    :raises Conflict: Another network has that one.
    """
    kind = network.kind
    if kind.numbered:
        txn.execute("SELECT pg_advisory_xact_lock(%s)", (_SEGMENTS,))
        if segment is None:
            segment = _lowest(txn, kind, *plan.pool(kind))
        elif _taken(txn, kind, segment):
            raise Conflict(
                f"Unable to create the network. The segment {segment} is in use."
            )
    made = plan.wiring(kind, segment)
    return evolve(
        network,
        segment=segment,
        mode=made.mode,
        link=made.link,
        mac_prefix=made.mac_prefix,
        mtu=network.mtu or made.mtu,
    )


def as_given(network: Network, plan: Plan) -> Network:
    """Return a network of one's own mode and link with what else it needs."""
    return evolve(network, mtu=network.mtu or plan.mtu)


def _taken(txn: Transaction, kind: Kind, segment: int) -> bool:
    found = one(
        txn,
        "SELECT true FROM network WHERE kind = %s AND segment = %s",
        (kind.value, segment),
    )
    return found is not None


def _lowest(txn: Transaction, kind: Kind, first: int, last: int) -> int:
    """Return the lowest segment that no network has, also none that is being deleted."""
    if not _taken(txn, kind, first):
        return first
    row = one(
        txn,
        "SELECT segment + 1 FROM (SELECT segment, lead(segment) OVER (ORDER BY segment)"
        "  AS next FROM network WHERE kind = %s AND segment BETWEEN %s AND %s) taken"
        " WHERE next IS DISTINCT FROM segment + 1 ORDER BY segment LIMIT 1",
        (kind.value, first, last),
    )
    if row is None or row[0] > last:
        raise NoNetworkAvailable
    return row[0]


# What of a network may become another.
CHANGEABLE = frozenset(
    {"name", "description", "shared", "external", "is_default", "mtu", "drained"}
)


def change(txn: Transaction, network: UUID, changes: Mapping[str, Any]) -> None:
    """Store what of a network is another from now on; nothing counts as a change too."""
    assert changes.keys() <= CHANGEABLE
    setting = "".join(f", {name} = %({name})s" for name in changes)
    txn.execute(
        f"UPDATE network SET updated = now(), revision = revision + 1{setting}"
        " WHERE id = %(id)s",
        {**changes, "id": network},
    )


def check_unshared(txn: Transaction, network: Network) -> None:
    """
    Return if a network can be its project's alone (again).

    :raises InvalidSharedSetting: Others have ports on it.
    """
    others = one(
        txn,
        "SELECT true FROM port WHERE network_id = %s"
        " AND project_id IS DISTINCT FROM %s LIMIT 1",
        (network.id, network.project),
    )
    if others:
        raise InvalidSharedSetting(network.name)


def left(txn: Transaction, which: Sequence[UUID]) -> set[UUID]:
    """Return the networks of which something may still be at Ganeti."""
    rows = every(
        txn,
        "SELECT network_id FROM port WHERE network_id = ANY(%(which)s)"
        " UNION SELECT network_id FROM cluster_network"
        " WHERE network_id = ANY(%(which)s)",
        {"which": list(which)},
    )
    return {network for (network,) in rows}


def check_unused(txn: Transaction, network: UUID) -> None:
    """
    Return if the subnets of a network may still change; nobody uses it meanwhile.

    :raises Conflict: Ganeti may have it, whose networks cannot change.
    """
    # Whoever makes a port on it at this moment is waited for, or has to wait.
    txn.execute("SELECT FROM network WHERE id = %s FOR UPDATE", (network,))
    if left(txn, [network]):
        raise Conflict(
            f"Network {network} has ports: its subnets cannot change any more"
        )


def delete(txn: Transaction, network: UUID) -> None:
    """
    Delete a network: it is gone for everybody, and is freed when Ganeti has no more of it.

    :raises NetworkInUse: There are ports on it.
    :raises NotFound: Another request has just deleted it.
    """
    # Whoever makes a port on it at this moment is waited for, or begins anew.
    row = one(
        txn,
        "SELECT id FROM network WHERE id = %s AND deleted IS NULL FOR UPDATE",
        (network,),
    )
    if row is None:
        raise NotFound(f"Network {network} could not be found.")
    if one(txn, "SELECT true FROM port WHERE network_id = %s LIMIT 1", (network,)):
        raise NetworkInUse(network)
    txn.execute("UPDATE network SET deleted = now() WHERE id = %s", (network,))
    free(txn, [network])


def free(txn: Transaction, which: Sequence[UUID]) -> None:
    """Remove those of some deleted networks of which Ganeti has nothing any more."""
    kept = left(txn, which)
    gone = [network for network in which if network not in kept]
    txn.execute(
        "DELETE FROM network WHERE id = ANY(%s) AND deleted IS NOT NULL", (gone,)
    )


def get(txn: Transaction, network: UUID) -> Network:
    """
    Return a network, whosever it is.

    :raises NotFound: There is none.
    """
    found = lists.get(txn, NETWORKS, None, network)
    if found is None:
        raise NotFound(f"Network {network} could not be found.")
    return found
