"""What Ganeti's news of NICs makes of ports.

A port and its addresses are given back here, and only after Ganeti has confirmed that
there is no NIC: the job is over, a listing has it no more, or the guest that still had
it is another process.  (Those of a server that is gone go with it.)
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from attrs import field, frozen

from snf.core.naming import port_id
from snf.core.order import Kind, Order, State
from snf.core.report import Nic
from snf.core.server import Life, Observed
from snf.storage.database import Transaction
from snf.storage.rows import every


@frozen
class Settled:
    """
    What is to be done to ports.

    :ivar gone: They have no NIC any more.
    :ivar there: They have one, which the guest has too, since when on the master's
        clock.
    :ivar waiting: What was done to them at Ganeti waits for the guest's next start, by
        when that was, and whether they are on their way out.
    :ivar staying: They were to go, and do not.
    """

    gone: list[UUID] = field(factory=list)
    there: dict[UUID, float] = field(factory=dict)
    waiting: dict[UUID, tuple[float, bool]] = field(factory=dict)
    staying: list[UUID] = field(factory=list)


def settled(before: Mapping[int, Life], after: Mapping[int, Life]) -> Settled:
    """Return what follows for ports from orders that have just ended."""
    found = Settled()
    for server, life in after.items():
        runs = life.observed in (Observed.UP, Observed.UNKNOWN)
        open_before = {one.id for one in before[server].orders if one.state.open}
        for order in life.orders:
            if order.id in open_before and not order.state.open:
                _settle(found, order, runs)
    return found


def _settle(found: Settled, order: Order, runs: bool) -> None:
    if order.nic is None or order.end is None:
        return  # what came of it is for the next levelling to see
    port = port_id(order.nic.name)
    if port is None:
        return
    waits = runs and not order.end.live
    if order.state is State.DONE and waits:
        found.waiting[port] = (order.end.time, order.kind is Kind.DETACH)
    elif order.kind is Kind.ATTACH and order.state is State.DONE:
        found.there[port] = order.end.time
    elif order.kind is Kind.ATTACH or order.state is State.DONE:
        found.gone.append(port)
    else:
        found.staying.append(port)


def apply(txn: Transaction, found: Settled) -> None:
    """Store what is to be done to ports, but for those that are gone."""
    for port, time in found.there.items():
        _put(txn, port, "ACTIVE", time)
    for port, (time, leaves) in found.waiting.items():
        _put(txn, port, "DOWN", time, waits=True, changing=leaves)
    if found.staying:
        txn.execute(
            "UPDATE port SET changing = false, updated = now() WHERE id = ANY(%s)",
            (found.staying,),
        )


def _put(
    txn: Transaction,
    port: UUID,
    state: str,
    time: float,
    waits: bool = False,
    changing: bool = False,
) -> None:
    txn.execute(
        "UPDATE port SET state = %s, clock = greatest(clock, %s), waits = %s,"
        " changing = %s, updated = now() WHERE id = %s AND server_id IS NOT NULL",
        (state, time, waits, changing, port),
    )


def restarted(txn: Transaction, servers: Mapping[int, float]) -> list[UUID]:
    """
    Let ports be as Ganeti has them whose guests are other processes now, or none.

    :param servers: Since when, by the master's clock.
    :return: Those that have no NIC any more.
    """
    if not servers:
        return []
    rows = every(
        txn,
        "SELECT p.id, p.changing FROM port p"
        " JOIN unnest(%s::bigint[], %s::double precision[]) v (server, since)"
        " ON p.server_id = v.server"
        " WHERE p.waits AND p.clock < v.since ORDER BY p.id FOR UPDATE OF p",
        (list(servers), list(servers.values())),
    )
    there = [port for port, leaves in rows if not leaves]
    if there:
        txn.execute(
            "UPDATE port SET state = 'ACTIVE', waits = false, updated = now()"
            " WHERE id = ANY(%s)",
            (there,),
        )
    return [port for port, leaves in rows if leaves]


def release(txn: Transaction, ports: Sequence[UUID]) -> None:
    """
    Give back ports that have no NIC any more, and their addresses.

    Those that were made by themselves are taken off their server and stay.
    """
    txn.execute("DELETE FROM port WHERE id = ANY(%s) AND NOT kept", (list(ports),))
    txn.execute(f"UPDATE port {_OFF} WHERE id = ANY(%s)", (list(ports),))


def leave(txn: Transaction, servers: Sequence[int]) -> None:
    """The same for all ports of servers that are gone."""
    txn.execute(
        "DELETE FROM port WHERE server_id = ANY(%s) AND NOT kept", (list(servers),)
    )
    txn.execute(f"UPDATE port {_OFF} WHERE server_id = ANY(%s)", (list(servers),))


_OFF = (
    "SET server_id = NULL, position = 0, state = 'DOWN', changing = false,"
    " waits = false, clock = 0, nic_tag = NULL, updated = now()"
)


@frozen
class Seen:
    """
    What a listing has of instances.

    :ivar time: Nothing of it is older, in seconds since the epoch on the master.
    :ivar nics: By server.
    :ivar stopped: The servers of which no guest runs.
    """

    time: float
    nics: Mapping[int, Sequence[Nic]]
    stopped: frozenset[int]


@frozen
class Difference:
    """A port that is not as a listing has it."""

    port: UUID
    server: int
    there: bool
    changing: bool


def differences(
    txn: Transaction, seen: Seen, servers: Iterable[int]
) -> list[Difference]:
    """
    Return the ports of some servers that are not as a listing has them.

    Those of servers with open orders are left out, since their ends decide; and those
    of which there is newer news.
    """
    listed = [server for server in servers if server in seen.nics]
    if not listed:
        return []
    found = [
        (server, port_id(nic.name), nic.mac)
        for server in listed
        for nic in seen.nics[server]
    ]
    rows = every(
        txn,
        "SELECT p.id, p.server_id, p.there, p.changing FROM ("
        "  SELECT p.*, s.stopped, EXISTS (SELECT FROM"
        "   unnest(%(owners)s::bigint[], %(ports)s::uuid[], %(macs)s::macaddr[])"
        "    n (server, port, mac) WHERE n.server = p.server_id"
        "    AND (n.port = p.id OR n.mac = p.mac)) AS there"
        "  FROM port p JOIN unnest(%(servers)s::bigint[], %(stopped)s::boolean[])"
        "   s (server, stopped) ON s.server = p.server_id"
        "  WHERE p.clock < %(time)s AND (s.stopped OR NOT p.waits)"
        "  AND NOT EXISTS (SELECT FROM orders o WHERE o.server_id = p.server_id"
        "   AND o.state IN ('new', 'submitting', 'submitted'))) p"
        " WHERE p.changing OR p.waits OR p.state <> CASE WHEN p.there THEN 'ACTIVE'"
        "  ELSE 'DOWN' END ORDER BY p.id",
        {
            "owners": [server for server, _, _ in found],
            "ports": [port for _, port, _ in found],
            "macs": [mac for _, _, mac in found],
            "servers": listed,
            "stopped": [server in seen.stopped for server in listed],
            "time": seen.time,
        },
    )
    return [Difference(*row) for row in rows]


def level(txn: Transaction, found: Sequence[Difference]) -> list[UUID]:
    """
    Let ports be as a listing has them; return those that have no NIC any more.

    One whose NIC somebody else has removed is DOWN, and its owner's all the same.
    """
    if found:
        txn.execute(
            "UPDATE port p SET state = CASE WHEN v.there THEN 'ACTIVE' ELSE 'DOWN' END,"
            " waits = false, changing = false, updated = now()"
            " FROM unnest(%s::uuid[], %s::boolean[]) v (id, there) WHERE p.id = v.id",
            ([one.port for one in found], [one.there for one in found]),
        )
    return [one.port for one in found if one.changing and not one.there]
