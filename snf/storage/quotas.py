"""What projects may have, and what they have.

The count is kept by the same transactions that make servers and that see them gone.
Rows are always written in the order of (project, resource), so that no two of those
can deadlock; the first of a project's rows makes its transactions queue up.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg2.extras import Json, execute_values

from snf.core.quota import Amounts, Resource, check
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every

_ADD = (
    " ON CONFLICT (project_id, resource)"
    " DO UPDATE SET used = quota_usage.used + EXCLUDED.used"
)

# What servers hold themselves: of a resize that is not over the larger of both flavors,
# and of a disk what it has grown to.
_HELD = (
    "SELECT s.project_id, held.resource, sum(held.amount) amount FROM server s"
    " JOIN flavor f ON f.id = s.flavor_id CROSS JOIN LATERAL (VALUES"
    " ('instances', 1),"
    " ('cores', greatest(f.vcpus, (s.resize #>> '{{old,vcpus}}')::integer,"
    "  (s.resize #>> '{{new,vcpus}}')::integer)),"
    " ('ram_mib', greatest(f.ram_mib, (s.resize #>> '{{old,ram_mib}}')::integer,"
    "  (s.resize #>> '{{new,ram_mib}}')::integer)),"
    " ('disk_gib', greatest(f.disk_gib, s.disk_gib,"
    "  (s.resize #>> '{{new,disk_gib}}')::integer))) held (resource, amount) WHERE {} GROUP BY 1, 2"
)

# What their ports do.
_PORTS = (
    "SELECT p.project_id, 'ports', count(*) FROM port p WHERE {0} GROUP BY 1"
    " UNION ALL SELECT p.project_id, 'fixed_ips', count(*) FROM address a"
    " JOIN port p ON p.id = a.port_id WHERE {0} GROUP BY 1"
)

# Networks that count, and whose subnets do.
_OWNED = "n.project_id IS NOT NULL AND n.deleted IS NULL"


def take(txn: Transaction, project: UUID, wanted: Amounts, defaults: Amounts) -> None:
    """
    Count what a project is about to get.

    :param defaults: The limits of a project for which none are set.
    :raises QuotaExceeded: It would be more than the project may have.
    """
    counted = count_in(txn, project, wanted)
    used, limits = {}, dict(defaults)
    for name, now, most in counted:
        resource = Resource(name)
        used[resource] = now - wanted[resource]
        if most is not None:
            limits[resource] = most
    check(wanted, used, limits)


# Not an array: with that, PostgreSQL would not keep its plan.
_WANTED = (
    "FROM (SELECT key, value::bigint FROM jsonb_each_text($2)) w (resource, amount)"
    " ORDER BY w.resource"
)

# The most that a project may have of a resource; NULL: as much as there is.
_MOST = (
    "nullif(coalesce((SELECT l.most FROM quota_limit l WHERE l.project_id = $1"
    " AND l.resource = {0}), ($3::jsonb ->> {0})::bigint), -1)"
)
_IF_IT_MAY = "CASE WHEN ({0} <= " + _MOST.format("{1}") + ") IS NOT FALSE THEN {0} END"

# What is too much is NULL, which the column refuses.
_TAKE = Prepared(
    "quota_take",
    "INSERT INTO quota_usage (project_id, resource, used)"
    f" SELECT $1::uuid, w.resource, {_IF_IT_MAY.format('w.amount', 'w.resource')}"
    f" {_WANTED} ON CONFLICT (project_id, resource) DO UPDATE SET used = "
    + _IF_IT_MAY.format("quota_usage.used + EXCLUDED.used", "quota_usage.resource"),
)


def take_last(
    txn: Transaction, project: UUID, wanted: Amounts, defaults: Amounts
) -> None:
    """
    Count what a project is about to get, together with the commit.

    Others of the project wait no longer than PostgreSQL takes for both.  Where it is
    more than the project may have, the transaction ends with :exc:`QuotaExceeded`.
    """
    asked = {resource: amount for resource, amount in wanted.items() if amount}

    def explain(txn: Transaction) -> None:
        check(asked, used(txn, project), limits(txn, project, defaults))

    most = {resource: defaults[resource] for resource in asked}
    _TAKE.last(txn, explain, project, _json(asked), _json(most))


def _json(amounts: Amounts) -> Json:
    return Json({resource.value: amount for resource, amount in amounts.items()})


_COUNT_IN = Prepared(
    "quota_count_in",
    "INSERT INTO quota_usage (project_id, resource, used)"
    f" SELECT $1::uuid, w.resource, w.amount {_WANTED}{_ADD} RETURNING resource, used, (SELECT l.most FROM quota_limit l"
    " WHERE l.project_id = quota_usage.project_id"
    " AND l.resource = quota_usage.resource)",
)


def count_in(
    txn: Transaction, project: UUID, wanted: Amounts
) -> list[tuple[str, int, int | None]]:
    """
    Count what a project gets, however much it may have.

    Returns of each resource its name, how much the project has now, and the limit that
    is set, if one is.
    """
    return _COUNT_IN.every(txn, project, _json(wanted))


def give_back(
    txn: Transaction,
    servers: Sequence[int],
    freed: Mapping[int, Amounts],
    ports: Sequence[UUID] = (),
) -> None:
    """
    Count off what servers hold that are gone, before their ports are removed.

    Ports that outlive their servers are not counted off.

    :param freed: What others no longer hold, in the same statement so that all rows
        are written in their order.
    :param ports: Those of others that are about to be removed.
    """
    parts = [
        (server, resource.value, amount)
        for server, amounts in freed.items()
        for resource, amount in amounts.items()
        if amount
    ]
    which = {
        "servers": list(servers),
        "others": [server for server, _, _ in parts],
        "resources": [resource for _, resource, _ in parts],
        "amounts": [amount for _, _, amount in parts],
        "ports": list(ports),
    }
    txn.execute(
        "INSERT INTO quota_usage (project_id, resource, used)"
        " SELECT h.project_id, h.resource, -sum(h.amount) FROM"
        f" ({_HELD.format('s.id = ANY(%(servers)s)')}"
        f" UNION ALL {_PORTS.format(_REMOVED)}"
        " UNION ALL SELECT s.project_id, o.resource, o.amount FROM unnest("
        "  %(others)s::bigint[], %(resources)s::text[], %(amounts)s::bigint[])"
        "  o (server_id, resource, amount) JOIN server s ON s.id = o.server_id) h"
        f" GROUP BY 1, 2 ORDER BY 1, 2{_ADD}",
        which,
    )


_REMOVED = (
    "NOT p.kept AND (p.server_id = ANY(%(servers)s) OR p.id = ANY(%(ports)s::uuid[]))"
)


def put_back(
    txn: Transaction, project: UUID, resource: Resource, amount: int = 1
) -> None:
    """Count off some of what a project has that is no server's."""
    txn.execute(
        "UPDATE quota_usage SET used = used - %s WHERE project_id = %s"
        " AND resource = %s",
        (amount, project, resource.value),
    )


def limits(txn: Transaction, project: UUID, defaults: Amounts) -> dict[Resource, int]:
    """Return what a project may have of each resource."""
    rows = every(
        txn, "SELECT resource, most FROM quota_limit WHERE project_id = %s", (project,)
    )
    return {**defaults, **{Resource(name): most for name, most in rows}}


def used(txn: Transaction, project: UUID) -> dict[Resource, int]:
    """Return what a project has of each resource."""
    rows = every(
        txn, "SELECT resource, used FROM quota_usage WHERE project_id = %s", (project,)
    )
    return dict.fromkeys(Resource, 0) | {Resource(name): used for name, used in rows}


def set_limits(txn: Transaction, project: UUID, wanted: Amounts) -> None:
    """Store what a project may have at most of some resources."""
    if wanted:
        execute_values(
            txn,
            "INSERT INTO quota_limit (project_id, resource, most) VALUES %s"
            " ON CONFLICT (project_id, resource) DO UPDATE SET most = EXCLUDED.most",
            [(project, resource.value, most) for resource, most in wanted.items()],
        )


def forget_limits(
    txn: Transaction, project: UUID, which: Sequence[Resource] = tuple(Resource)
) -> None:
    """Let the defaults hold for a project again."""
    txn.execute(
        "DELETE FROM quota_limit WHERE project_id = %s AND resource = ANY(%s)",
        (project, [resource.value for resource in which]),
    )


def counted(txn: Transaction) -> Mapping[tuple[UUID, Resource], int]:
    """Return what all projects have, counted anew; without what they have nothing of."""
    rows = every(
        txn,
        f"{_HELD.format('s.deleted IS NULL')} UNION ALL {_PORTS.format('true')}"
        " UNION ALL SELECT project_id, 'server_groups', count(*) FROM server_group"
        " GROUP BY 1"
        " UNION ALL SELECT project_id, 'floating_ips', count(*) FROM floating_ip"
        " WHERE deleted IS NULL GROUP BY 1"
        " UNION ALL SELECT project_id, 'security_groups', count(*) FROM security_group"
        " GROUP BY 1"
        " UNION ALL SELECT g.project_id, 'security_group_rules', count(*)"
        " FROM security_group_rule r JOIN security_group g ON g.id = r.group_id"
        " GROUP BY 1"
        " UNION ALL SELECT n.project_id, 'networks', count(*) FROM network n"
        f" WHERE {_OWNED} GROUP BY 1 UNION ALL SELECT n.project_id, 'subnets', count(*)"
        " FROM subnet s JOIN network n ON n.id = s.network_id"
        f" WHERE {_OWNED} GROUP BY 1"
        " UNION ALL SELECT project_id, 'image_bytes', sum(amount) FROM ("
        "SELECT project_id, size_bytes amount FROM image WHERE sha256 IS NOT NULL"
        " AND project_id IS NOT NULL AND deleted IS NULL"
        " UNION ALL SELECT i.project_id, u.counted_bytes FROM image_upload u"
        " JOIN image i ON i.id = u.image_id WHERE u.state IN ('running', 'staged')"
        " AND i.project_id IS NOT NULL) held GROUP BY 1",
    )
    return {(project, Resource(name)): int(amount) for project, name, amount in rows}


def recount(txn: Transaction) -> list[tuple[UUID, Resource, int, int]]:
    """
    Count everything anew; return (project, resource, before, after) of what was wrong.

    Holds up the making and the deleting of servers while it counts.
    """
    # Waits for those who have counted something and not committed; who comes later
    # counts on top of what is found here.
    txn.execute("LOCK TABLE quota_usage IN SHARE ROW EXCLUSIVE MODE")
    truth = counted(txn)
    rows = every(txn, "SELECT project_id, resource, used FROM quota_usage")
    known = {(project, Resource(name)): used for project, name, used in rows}
    wrong = [
        (*key, known.get(key, 0), truth.get(key, 0))
        for key in sorted(known.keys() | truth.keys(), key=str)
        if known.get(key, 0) != truth.get(key, 0)
    ]
    if wrong:
        execute_values(
            txn,
            "INSERT INTO quota_usage (project_id, resource, used) VALUES %s"
            " ON CONFLICT (project_id, resource) DO UPDATE SET used = EXCLUDED.used",
            [(project, name.value, after) for project, name, _, after in wrong],
        )
    return wrong
