"""Server groups and their members."""

from collections.abc import Mapping
from uuid import UUID

from attrs import field, frozen

from snf.core.errors import NotFound, QuotaExceeded
from snf.core.quota import UNLIMITED, Amounts, Resource
from snf.core.server_group import Company, Policy, ServerGroup, next_slot
from snf.storage import quotas
from snf.storage.database import Transaction
from snf.storage.rows import every, one, required

_SELECT = (
    "SELECT g.id, g.project_id, g.user_id, g.name, g.policy, g.per_node,"
    " ARRAY(SELECT s.uuid FROM server_group_member m JOIN server s"
    "  ON s.id = m.server_id WHERE m.group_id = g.id AND s.deleted IS NULL"
    "  ORDER BY s.id) FROM server_group g"
)


@frozen
class Entry:
    """
    What a new member needs to know of its group, which nobody else joins meanwhile.

    :ivar clusters: How many of its members are, or are to be, on which cluster.
    :ivar slots: Theirs.
    """

    group: ServerGroup
    clusters: Mapping[int, int] = field(factory=dict)
    slots: tuple[int, ...] = ()

    @property
    def company(self) -> Company:
        """What placement has to heed."""
        return Company(self.group.policy, self.clusters, self.group.per_node or 1)

    @property
    def slot(self) -> int:
        """The new member's."""
        return next_slot(self.slots, self.group.per_node or 1)


def listing(
    txn: Transaction, project: UUID | None, limit: int, offset: int
) -> list[ServerGroup]:
    """Return the groups of a project, or of all where it is None; the oldest first."""
    rows = every(
        txn,
        f"{_SELECT} WHERE %(project)s IS NULL OR g.project_id = %(project)s"
        " ORDER BY g.created, g.id LIMIT %(limit)s OFFSET %(offset)s",
        {"project": project, "limit": limit, "offset": offset},
    )
    return [_from_row(row) for row in rows]


def get(txn: Transaction, project: UUID | None, group: UUID) -> ServerGroup:
    """
    Return a group.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    return _from_row(
        required(
            txn,
            missing(group),
            f"{_SELECT} WHERE g.id = %(group)s"
            " AND (%(project)s IS NULL OR g.project_id = %(project)s)",
            {"group": group, "project": project},
        )
    )


def add(txn: Transaction, group: ServerGroup, defaults: Amounts) -> None:
    """
    Store a new group, without members.

    :param defaults: The limits of a project for which none are set.
    :raises QuotaExceeded: The project may have no more.
    """
    try:
        quotas.take(txn, group.project, {Resource.SERVER_GROUPS: 1}, defaults)
    except QuotaExceeded:
        # Nova has a sentence of its own for these.
        raise QuotaExceeded("Quota exceeded, too many server groups.") from None
    txn.execute(
        "INSERT INTO server_group (id, project_id, user_id, name, policy, per_node)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (
            group.id,
            group.project,
            group.user,
            group.name,
            group.policy.value,
            group.per_node,
        ),
    )


def remove(txn: Transaction, project: UUID | None, group: UUID) -> None:
    """
    Remove a group; its members stay, and stay where they are.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    row = one(
        txn,
        "DELETE FROM server_group g WHERE g.id = %(group)s"
        " AND (%(project)s IS NULL OR g.project_id = %(project)s)"
        " RETURNING g.project_id",
        {"group": group, "project": project},
    )
    if row is None:
        raise NotFound(missing(group))
    quotas.put_back(txn, row[0], Resource.SERVER_GROUPS)


def enter(txn: Transaction, project: UUID, group: UUID, defaults: Amounts) -> Entry:
    """
    Return what a server has to know that is to be in a project's group.

    Others that are to be in it wait until the transaction has ended, so that each of
    them sees where those before it have been put.

    :raises NotFound: There is no such group, or it is somebody else's.
    :raises QuotaExceeded: It may have no more members.
    """
    row = one(
        txn,
        "SELECT FROM server_group WHERE id = %s AND project_id = %s FOR NO KEY UPDATE",
        (group, project),
    )
    if row is None:
        raise NotFound(missing(group))
    found = get(txn, project, group)
    most = quotas.limits(txn, project, defaults)[Resource.SERVER_GROUP_MEMBERS]
    if most != UNLIMITED and len(found.members) >= most:
        raise QuotaExceeded("Quota exceeded, too many servers in group")
    # One that Ganeti does not have (any more) is nowhere, though it may be shown.
    there = every(
        txn,
        "SELECT s.cluster_id, m.slot FROM server_group_member m"
        " JOIN server s ON s.id = m.server_id WHERE m.group_id = %s"
        " AND s.deleted IS NULL AND s.observed <> 'gone'",
        (group,),
    )
    counts: dict[int, int] = {}
    for cluster, _ in there:
        counts[cluster] = counts.get(cluster, 0) + 1
    slots = tuple(slot for _, slot in there)
    return Entry(found, counts, slots)


def join(txn: Transaction, group: UUID, server: int, slot: int) -> None:
    """Store that a new server is in a group."""
    txn.execute(
        "INSERT INTO server_group_member (server_id, group_id, slot)"
        " VALUES (%s, %s, %s)",
        (server, group, slot),
    )


def missing(group: object) -> str:
    """Return what to say of a group that is not there."""
    return f"Instance group {group} could not be found."


def _from_row(row: tuple) -> ServerGroup:
    values = (*row[:4], Policy(row[4]), row[5], tuple(row[6]))
    return ServerGroup(*values)
