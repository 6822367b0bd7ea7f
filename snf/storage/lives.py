"""The part of a server that Ganeti's news changes, loaded and stored in batches."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from psycopg2.extras import Json, execute_values

from snf.core.order import Kind, State
from snf.core.quota import Amounts
from snf.core.server import Fault, Life, Observed, Status
from snf.storage import firewalls, holders, nics, orders, quotas, resizes
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every

# The orders after which an instance has the tags that it was to have.
_TAGGING = frozenset({Kind.CREATE, Kind.FIREWALL})


_LOOK = Prepared(
    "lives_look",
    "SELECT id, observed, fault, deletion_asked, clock_time, clock_job,"
    " extract(epoch FROM launched), progress, resize, flavor_id, disk_gib, image_id"
    " FROM server WHERE id = ANY($1) AND deleted IS NULL ORDER BY id",
)
_LOAD = Prepared("lives_load", f"{_LOOK.statement} FOR UPDATE")


def look(txn: Transaction, servers: Iterable[int]) -> dict[int, Life]:
    """Return the lives of servers that have not been deleted, as they are just now."""
    return _read(txn, servers, lock=False)


def load(txn: Transaction, servers: Iterable[int]) -> dict[int, Life]:
    """
    Return the lives of servers that have not been deleted, locked until the commit.

    Locked in the order of their ids, so that two batches cannot deadlock.
    """
    return _read(txn, servers, lock=True)


def _read(txn: Transaction, servers: Iterable[int], lock: bool) -> dict[int, Life]:
    wanted = sorted(set(servers))
    rows = (_LOAD if lock else _LOOK).every(txn, wanted)
    open_orders = orders.of_servers(txn, [row[0] for row in rows], lock)
    return {
        row[0]: Life(
            observed=Observed(row[1]),
            orders=tuple(open_orders.get(row[0], ())),
            fault=None if row[2] is None else Fault(**row[2]),
            deletion_asked=row[3],
            clock=(row[4], row[5]),
            launched=None if row[6] is None else float(row[6]),
            progress=row[7],
            resize=None if row[8] is None else resizes.from_stored(row[8]),
            flavor=row[9],
            disk_gib=row[10],
            image=row[11],
        )
        for row in rows
    }


def on_cluster(txn: Transaction, cluster: int) -> dict[int, bool]:
    """
    Return the servers of a cluster that have not been deleted, by their ids.

    With each goes whether it has been built and nothing is under way with it: there
    should be an instance.
    """
    rows = every(
        txn,
        "SELECT s.id, s.observed <> 'gone' AND s.fault IS NULL"
        " AND NOT EXISTS (SELECT FROM orders o WHERE o.server_id = s.id"
        " AND o.state IN ('new', 'submitting', 'submitted'))"
        " FROM server s WHERE s.cluster_id = %s AND s.deleted IS NULL ORDER BY s.id",
        (cluster,),
    )
    return dict(rows)


def alive(txn: Transaction, servers: Sequence[int]) -> set[int]:
    """Return those of some servers that have not been deleted."""
    rows = every(
        txn,
        "SELECT id FROM server WHERE id = ANY(%s) AND deleted IS NULL",
        (list(servers),),
    )
    return {server for (server,) in rows}


def save(
    txn: Transaction,
    before: Mapping[int, Life],
    after: Mapping[int, Life],
    ports: Sequence[nics.Difference] = (),
) -> list[int]:
    """
    Store the lives that have changed and return whose they are.

    :param ports: Those of the same servers that are not as a listing has them.
    """
    changed = [server for server, life in after.items() if life != before[server]]
    if not changed and not ports:
        return changed
    _save_servers(txn, {server: after[server] for server in changed})
    done = _save_orders(
        txn, {server: (before[server], after[server]) for server in changed}
    )
    gone = [server for server in changed if after[server].status is Status.DELETED]
    freed = {
        server: amounts
        for server in changed
        if server not in gone and (amounts := _freed(before[server], after[server]))
    }
    lost = _wired(txn, before, {one: after[one] for one in changed if one not in gone})
    lost += nics.level(txn, [one for one in ports if one.server not in gone])
    if gone or freed or lost:
        # Here alone, and once: who is deleted is not loaded again.
        quotas.give_back(txn, gone, freed, lost)
    if done:
        holders.confirm(txn, done)
    if lost:
        named = firewalls.naming(txn, lost)
        nics.release(txn, lost)
        # What the tags say of them is to be said no more.
        holders.follow(txn, named)
    if gone:
        holders.let_go(txn, gone)
        nics.leave(txn, gone)
        orders.close(txn, gone, "the server is gone")
    return changed


def _save_orders(
    txn: Transaction, changed: Mapping[int, tuple[Life, Life]]
) -> list[UUID]:
    """Store what has become of orders; return those done that have set tags."""
    done = []
    for before, after in changed.values():
        known = {order.id: order for order in before.orders}
        for order in after.orders:
            if order.id not in known and order.follows is not None:
                orders.follow(txn, order)
            elif known.get(order.id) != order:
                orders.save(txn, order)
                if order.kind in _TAGGING and order.state is State.DONE:
                    done.append(order.id)
    return done


def _freed(before: Life, after: Life) -> Amounts:
    """Return what the end of a resize frees; nothing where none has ended."""
    if before.resize is None or after.resize is not None:
        return {}
    return before.resize.freed(after.flavor, after.disk_gib)


def _wired(
    txn: Transaction, before: Mapping[int, Life], after: Mapping[int, Life]
) -> list[UUID]:
    """Store what has become of ports; return those that have no NIC any more."""
    found = nics.settled(before, after)
    nics.apply(txn, found)
    since = {one: life.restarted for one, life in after.items() if life.restarted}
    return sorted({*found.gone, *nics.restarted(txn, since)})


def _save_servers(txn: Transaction, lives: Mapping[int, Life]) -> None:
    if not lives:
        return
    execute_values(
        txn,
        "UPDATE server s SET observed = v.observed, status = v.status, task = v.task,"
        " fault = v.fault, deletion_asked = v.deletion_asked,"
        " clock_time = v.clock_time, clock_job = v.clock_job, progress = v.progress,"
        " launched = to_timestamp(v.launched), updated = now(),"
        " resize = v.resize, flavor_id = coalesce(v.flavor, s.flavor_id),"
        " disk_gib = v.disk_gib, image_id = coalesce(v.image, s.image_id),"
        " deleted = CASE WHEN v.status = 'DELETED' THEN now() END"
        " FROM (VALUES %s) v (id, observed, status, task, fault, deletion_asked,"
        " clock_time, clock_job, progress, launched, resize, flavor, disk_gib, image)"
        " WHERE s.id = v.id",
        [_row(server, life) for server, life in lives.items()],
        template="(%s::bigint, %s, %s, %s, %s::jsonb, %s, %s::double precision,"
        " %s::bigint, %s::integer, %s::double precision, %s::jsonb, %s::uuid,"
        " %s::integer, %s::uuid)",
        page_size=500,
    )


def _row(server: int, life: Life) -> Sequence[object]:
    fault = life.fault and Json(
        {
            "message": life.fault.message,
            "time": life.fault.time,
            "code": life.fault.code,
        }
    )
    gone = life.status is Status.DELETED
    return (
        server,
        life.observed.value,
        life.status.value,
        None if life.task is None or gone else life.task.value,
        fault,
        life.deletion_asked,
        *life.clock,
        life.progress,
        life.launched,
        life.resize and Json(resizes.stored(life.resize)),
        life.flavor,
        life.disk_gib,
        life.image,
    )
