"""The outbox: what is to be done at Ganeti, and how far it has come."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from attrs import asdict, frozen
from psycopg2.extras import Json

from snf.core.order import (
    Build,
    Kind,
    NicRequest,
    Order,
    Reinstall,
    Sizes,
    Source,
    State,
)
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

COLUMNS = "o.id, o.server_id, o.kind, o.state, o.job, o.arguments, o.error, o.attempts"

# The class of the advisory locks that say which submitters are alive.
LOCK_CLASS = 0x736E66


@frozen
class Claim:
    """An order that a submitter has taken, and what it needs to carry it out.

    ``floor``: jobs of this order have higher ids.  ``again`` is whether somebody may
    have submitted it before.  ``after`` is the job of the server's order before it.
    """

    order: Order
    cluster: int
    floor: int
    again: bool
    after: int | None


def from_row(row: tuple) -> Order:
    """Return the order in a row of :data:`COLUMNS`."""
    arguments = row[5]
    build, sizes = arguments.get("build"), arguments.get("sizes")
    reinstall = arguments.get("reinstall")
    return Order(
        id=row[0],
        server=row[1],
        kind=Kind(row[2]),
        state=State(row[3]),
        job=row[4],
        build=None if build is None else _build_from(build),
        hard=arguments.get("hard", False),
        node=arguments.get("node"),
        force=arguments.get("force", False),
        error=row[6],
        attempts=row[7],
        sizes=None if sizes is None else Sizes(**sizes),
        nic=None if (nic := arguments.get("nic")) is None else _nic_from(nic),
        reinstall=None if reinstall is None else _reinstall_from(reinstall),
    )


_ADD = Prepared(
    "order_add",
    "INSERT INTO orders (id, server_id, cluster_id, kind, arguments, request_id)"
    " VALUES ($1, $2, $3, $4, $5, $6)",
)


def add(txn: Transaction, order: Order, cluster: int, request_id: str | None) -> None:
    """
    Store a new order; submitters are woken when the transaction commits.

    :param request_id: None where nobody has asked.
    """
    _ADD.later(
        txn,
        order.id,
        order.server,
        cluster,
        order.kind.value,
        Json(_arguments(order)),
        request_id,
    )


def follow(txn: Transaction, order: Order) -> None:
    """Store a new order that came of another one, for the same request."""
    txn.execute(
        "INSERT INTO orders (id, server_id, cluster_id, kind, arguments, request_id)"
        " SELECT %s, server_id, cluster_id, %s, %s, request_id FROM orders"
        " WHERE id = %s",
        (order.id, order.kind.value, Json(_arguments(order)), order.follows),
    )


_OPEN = Prepared(
    "orders_open",
    f"SELECT {COLUMNS} FROM orders o WHERE o.server_id = ANY($1)"
    " AND o.state IN ('new', 'submitting', 'submitted') ORDER BY o.number",
)
_LOCK_OPEN = Prepared("orders_lock_open", f"{_OPEN.statement} FOR UPDATE")


def of_servers(
    txn: Transaction, servers: Sequence[int], lock: bool = False
) -> dict[int, list[Order]]:
    """Return the open orders of servers, oldest first."""
    rows = (_LOCK_OPEN if lock else _OPEN).every(txn, list(servers))
    orders: dict[int, list[Order]] = {}
    for row in rows:
        orders.setdefault(row[1], []).append(from_row(row))
    return orders


_SAVE = Prepared(
    "order_save",
    "UPDATE orders SET state = $1, job = $2, error = $3,"
    " ended = CASE WHEN $4 THEN NULL ELSE now() END"
    " WHERE id = $5 AND state IN ('new', 'submitting', 'submitted')",
)


def save(txn: Transaction, order: Order) -> None:
    """Store how far an order has come; one that has ended stays as it is."""
    state = order.state
    _SAVE.later(txn, state.value, order.job, order.error, state.open, order.id)


def close(txn: Transaction, servers: Sequence[int], error: str) -> None:
    """End what is still open of some servers' orders: nothing can come of it."""
    txn.execute(
        "UPDATE orders SET state = 'failed', error = %s, ended = now()"
        " WHERE server_id = ANY(%s) AND state IN ('new', 'submitting', 'submitted')",
        (error, list(servers)),
    )


_CLAIM = Prepared(
    "orders_claim",
    f"""
    WITH live AS (
        SELECT objid::int AS claimant FROM pg_locks
        WHERE locktype = 'advisory' AND classid = {LOCK_CLASS} AND granted
          AND database = (SELECT oid FROM pg_database
                          WHERE datname = current_database())
    ), ready AS (
        SELECT o.id, o.state FROM orders o
        WHERE o.cluster_id = $2 AND o.not_before <= now()
          AND (o.state = 'new' OR (
              o.state = 'submitting'
              AND o.claimed <= now() - make_interval(secs => $4)
              AND (o.claimed_by NOT IN (SELECT claimant FROM live)
                   OR o.claimed_by = $1 AND o.id <> ALL ($5::uuid[]))))
          AND NOT EXISTS (
              SELECT FROM orders e WHERE e.server_id = o.server_id
              AND e.number < o.number AND (e.state IN ('new', 'submitting')
                  OR e.state = 'submitted' AND o.kind <> 'delete'))
        ORDER BY o.number LIMIT $3
        FOR UPDATE OF o SKIP LOCKED
    )
    UPDATE orders o SET state = 'submitting', claimed_by = $1,
        claimed = now(), attempts = attempts + 1,
        job_floor = coalesce(o.job_floor, c.last_job)
    FROM ready, cluster c WHERE o.id = ready.id AND c.id = o.cluster_id
    RETURNING {COLUMNS}, o.cluster_id, o.job_floor,
        ready.state = 'submitting' OR o.attempts > 1,
        (SELECT max(e.job) FROM orders e WHERE e.server_id = o.server_id
         AND e.number < o.number AND e.state = 'submitted'), o.number
    """,
)


def claim(
    txn: Transaction,
    claimant: int,
    cluster: int,
    limit: int,
    settle_s: float,
    at_work_on: Collection[UUID] = (),
) -> list[Claim]:
    """
    Take orders of one cluster that may be carried out now.

    Those are new ones, and ones that nobody is at work on any more although they are
    marked so: the advisory lock of their submitter is gone, or it is this claimant and
    they are not ``at_work_on``; and whatever had been sent has had ``settle_s`` to
    arrive.  An order waits for those of its server before it; a deletion need only
    wait for them to have been submitted.
    """
    mine = [*at_work_on]
    rows = _CLAIM.every(txn, claimant, cluster, limit, settle_s, mine)
    rows.sort(key=lambda row: row[12])
    return [_claim_from(row) for row in rows]


def _claim_from(row: tuple) -> Claim:
    return Claim(
        order=from_row(row[:8]),
        cluster=row[8],
        floor=row[9],
        again=row[10],
        after=row[11],
    )


_SUBMITTED = Prepared(
    "orders_submitted",
    "WITH ours AS ("
    " SELECT id FROM orders WHERE id = ANY($1::uuid[])"
    " AND state = 'submitting' AND claimed_by = $3"
    # In the order in which all lock them.
    " ORDER BY number FOR UPDATE"
    ") UPDATE orders o SET state = 'submitted', job = v.job"
    " FROM ours, unnest($1::uuid[], $2::bigint[]) v (id, job)"
    " WHERE o.id = ours.id AND o.id = v.id",
)


def submitted(txn: Transaction, jobs: Mapping[UUID, int], claimant: int) -> None:
    """Store the jobs of orders that we had claimed, unless they have been settled."""
    _SUBMITTED.later(txn, [*jobs], [*jobs.values()], claimant)


def held(txn: Transaction, order: UUID, claimant: int) -> bool:
    """Return whether an order is still marked as being submitted by a claimant."""
    row = one(
        txn,
        "SELECT state = 'submitting' AND claimed_by = %s FROM orders WHERE id = %s",
        (claimant, order),
    )
    return row is not None and row[0]


def put_off(
    txn: Transaction,
    claim: Claim,
    claimant: int,
    seconds: float,
    error: str,
    counts: bool,
) -> None:
    """
    Try an order that we had claimed again later.

    :param error: Why.
    :param counts: Whether this was one of the attempts that an order has.
    """
    txn.execute(
        "UPDATE orders SET state = 'new', error = %s,"
        " not_before = now() + make_interval(secs => %s),"
        " attempts = CASE WHEN %s THEN attempts ELSE greatest(1, attempts - 1) END"
        " WHERE id = %s AND state = 'submitting' AND claimed_by = %s",
        (error, seconds, counts, claim.order.id, claimant),
    )


def awaiting(txn: Transaction, cluster: int) -> dict[int, int]:
    """Return the servers whose orders of a cluster have a job still, by that job."""
    rows = every(
        txn,
        "SELECT job, server_id FROM orders WHERE cluster_id = %s"
        " AND state = 'submitted' ORDER BY job",
        (cluster,),
    )
    return dict(rows)


def _arguments(order: Order) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if order.hard:
        arguments["hard"] = True
    if order.node is not None:
        arguments["node"] = order.node
    if order.force:
        arguments["force"] = True
    if order.sizes is not None:
        arguments["sizes"] = asdict(order.sizes)
    if order.nic is not None:
        arguments["nic"] = _nic(order.nic)
    if order.reinstall is not None:
        arguments["reinstall"] = _reinstall(order.reinstall)
    if order.build is not None:
        build = order.build
        arguments["build"] = {
            "vcpus": build.vcpus,
            "ram_mib": build.ram_mib,
            "disk_gib": build.disk_gib,
            "disk_template": build.disk_template,
            "os": build.os,
            "hypervisor": build.hypervisor,
            "hypervisor_parameters": dict(build.hypervisor_parameters),
            "os_parameters": dict(build.os_parameters),
            "nics": [_nic(nic) for nic in build.nics],
            "tags": list(build.tags),
            "source": _source(build.source),
            "drive": build.drive,
        }
    return arguments


def _nic(nic: NicRequest) -> dict[str, Any]:
    return {**asdict(nic), "network": nic.network and str(nic.network)}


def _nic_from(stored: dict[str, Any]) -> NicRequest:
    network = stored.get("network")
    return NicRequest(**{**stored, "network": network and UUID(network)})


def _build_from(stored: dict[str, Any]) -> Build:
    nics = tuple(map(_nic_from, stored["nics"]))
    tags, source = tuple(stored.get("tags", ())), _source_from(stored.get("source"))
    return Build(**{**stored, "nics": nics, "tags": tags, "source": source})


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {**asdict(source), "image": str(source.image)}


def _source_from(stored: dict[str, Any] | None) -> Source | None:
    return (
        None if stored is None else Source(**{**stored, "image": UUID(stored["image"])})
    )


def _reinstall(reinstall: Reinstall) -> dict[str, Any]:
    return {
        "image": str(reinstall.image),
        "os": reinstall.os,
        "source": _source(reinstall.source),
        "drive": reinstall.drive,
        "os_parameters": dict(reinstall.os_parameters),
        "start": reinstall.start,
    }


def _reinstall_from(stored: dict[str, Any]) -> Reinstall:
    source = _source_from(stored["source"])
    return Reinstall(**{**stored, "image": UUID(stored["image"]), "source": source})


# The columns of ``overview``.
OVERVIEW = (
    "order",
    "server",
    "cluster",
    "kind",
    "state",
    "job",
    "attempts",
    "not before",
    "error",
)


def overview(txn: Transaction, everything: bool, limit: int) -> list[tuple[Any, ...]]:
    """Return orders as operators look at them, the newest first."""
    return every(
        txn,
        "SELECT o.id, s.uuid, c.name, o.kind, o.state, o.job, o.attempts,"
        " o.not_before, o.error FROM orders o JOIN server s ON s.id = o.server_id"
        " JOIN cluster c ON c.id = o.cluster_id"
        " WHERE %s OR o.state IN ('new', 'submitting', 'submitted')"
        " ORDER BY o.number DESC LIMIT %s",
        (everything, limit),
    )
