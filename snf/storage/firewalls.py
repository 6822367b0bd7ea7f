"""What is to be let in to the ports of servers, and orders to bring that about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import ip_network
from uuid import UUID

from snf.core import firewall, floating_ip
from snf.core.errors import BadRequest
from snf.core.firewall import RULES_AT_MOST, Match, Port
from snf.core.order import Kind
from snf.storage import floating_ips
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

_PORTS = Prepared(
    "firewall_ports",
    """
    SELECT p.server_id, p.id, p.profile,
        p.grouped OR EXISTS (SELECT FROM port_group m WHERE m.port_id = p.id),
        (SELECT json_agg(json_build_array(r.family, r.number, r.first, r.last,
                                          r.remote::text))
         FROM port_group m JOIN security_group_rule r ON r.group_id = m.group_id
         WHERE m.port_id = p.id AND r.direction = 'ingress')
    FROM port p WHERE p.server_id = ANY($1) ORDER BY p.server_id, p.position, p.id
""",
)


def ports(txn: Transaction, servers: Collection[int]) -> dict[int, list[Port]]:
    """Return the ports of servers, with what decides over what comes in to them."""
    found: dict[int, list[Port]] = {server: [] for server in servers}
    for server, port, profile, governed, admitted in _PORTS.every(txn, list(servers)):
        matches = tuple(_match(values) for values in admitted or ())
        found[server].append(Port(port, profile, matches if governed else None))
    return found


def tags(txn: Transaction, servers: Collection[int]) -> dict[int, frozenset[str]]:
    """Return the tags that the instances of servers are to have now."""
    floating = floating_ips.tags(txn, servers)
    return {
        server: firewall.tags(known) | floating[server]
        for server, known in ports(txn, servers).items()
    }


def _match(values: Sequence) -> Match:
    family, number, first, last, remote = values
    network = None if remote is None else ip_network(remote)
    return Match(family, number, first, last, network)


def astray(txn: Transaction, found: Mapping[int, Collection[str]]) -> list[int]:
    """
    Return the servers whose instances have other tags than they are to have.

    Without the firewall's where nobody has ever said anything of that.

    :param found: The tags that the instance of each has.
    """
    floating = floating_ips.tags(txn, found)
    return [
        server
        for server, known in ports(txn, found).items()
        if floating[server] != floating_ip.ours(found[server])
        or (
            firewall.tags(known) != firewall.ours(found[server])
            and any(port.profile or port.admitted is not None for port in known)
        )
    ]


# An order takes what there is when it is submitted: it counts for what is decided
# before it is first claimed.  One that has been put off may have a job already.
UNCLAIMED = "o.state = 'new' AND o.attempts = 0 AND o.kind IN ('create', 'firewall')"


def order(
    txn: Transaction, servers: Collection[int], request_id: str | None = None
) -> None:
    """
    Have Ganeti follow what has changed, or is about to in this transaction.

    One that has not been claimed yet will do; nobody claims it before this transaction
    has ended.
    """
    if not servers:
        return
    # In the order in which all lock them.
    alive = every(
        txn,
        "SELECT id FROM server WHERE id = ANY(%s) AND deleted IS NULL"
        " ORDER BY id FOR UPDATE",
        (sorted(servers),),
    )
    numbers = [number for (number,) in alive]
    waiting = every(
        txn,
        f"SELECT o.server_id FROM orders o WHERE o.server_id = ANY(%s) AND {UNCLAIMED}"
        " ORDER BY o.number FOR UPDATE",
        (numbers,),
    )
    txn.execute(
        "INSERT INTO orders (id, server_id, cluster_id, kind, request_id)"
        " SELECT gen_random_uuid(), id, cluster_id, %s, %s FROM server"
        " WHERE id = ANY(%s) AND observed <> 'gone' ORDER BY id",
        (
            Kind.FIREWALL.value,
            request_id,
            sorted(set(numbers) - {server for (server,) in waiting}),
        ),
    )


def order_for_group(txn: Transaction, group: UUID, request_id: str) -> None:
    """Have Ganeti follow what a group admits now, for all servers in it."""
    rows = every(
        txn,
        "SELECT DISTINCT p.server_id FROM port_group m JOIN port p ON p.id = m.port_id"
        " WHERE m.group_id = %s AND p.server_id IS NOT NULL AND p.profile IS NULL",
        (group,),
    )
    order(txn, [server for (server,) in rows], request_id)


def order_for_port(txn: Transaction, port: UUID, request_id: str) -> None:
    """Have Ganeti follow what is let in to a port now, if it is on a server."""
    rows = every(
        txn,
        "SELECT server_id FROM port WHERE id = %s AND server_id IS NOT NULL",
        (port,),
    )
    order(txn, [server for (server,) in rows], request_id)


def prepare(txn: Transaction, server: int, port: UUID, request_id: str) -> None:
    """
    Have the tags of a port there before its NIC is, which is ordered next.

    :param server: The server that it has just been put on.
    """
    if naming(txn, [port]):
        order(txn, [server], request_id)


def naming(txn: Transaction, which: Collection[UUID]) -> set[int]:
    """Return the servers that some ports are on and whose instances' tags name them."""
    rows = every(
        txn,
        "SELECT p.server_id, bool_or(f.id IS NOT NULL) FROM port p"
        " LEFT JOIN floating_ip f ON f.port_id = p.id"
        " WHERE p.id = ANY(%s) AND p.server_id IS NOT NULL GROUP BY p.server_id",
        (list(which),),
    )
    known = ports(txn, [server for server, _ in rows])
    return {
        server
        for server, floating in rows
        if floating or firewall.tags(one for one in known[server] if one.id in which)
    }


def hold(txn: Transaction, project: UUID, groups: Sequence[UUID]) -> set[UUID]:
    """
    Hold groups of a project, none of which changes until the transaction has ended.

    Returns those that it does not have.  To be called before a server is locked, as
    whoever changes a group does.
    """
    known = every(
        txn,
        "SELECT id FROM security_group WHERE id = ANY(%s) AND project_id = %s"
        " ORDER BY id FOR KEY SHARE",
        (list(groups), project),
    )
    return set(groups) - {found for (found,) in known}


def put(txn: Transaction, port: UUID, groups: Sequence[UUID]) -> None:
    """
    Put a port into these groups, and into no others; they are to hold for it again.

    :param groups: Of its project, and held.
    :raises BadRequest: They have too many rules together.
    """
    row = one(
        txn,
        "SELECT count(*) FROM security_group_rule WHERE group_id = ANY(%s)"
        " AND direction = 'ingress'",
        (list(groups),),
    )
    assert row is not None
    if row[0] > RULES_AT_MOST:
        raise BadRequest(
            f"security_groups: the groups of a port may have {RULES_AT_MOST} ingress"
            f" rules together, not {row[0]}"
        )
    txn.later("UPDATE port SET grouped = true, profile = NULL WHERE id = %s", (port,))
    txn.later("DELETE FROM port_security_group WHERE port_id = %s", (port,))
    txn.later(
        "INSERT INTO port_security_group (port_id, group_id)"
        " SELECT %s, unnest(%s::uuid[])",
        (port, sorted(set(groups))),
    )


def set_profile(txn: Transaction, port: UUID, word: str) -> None:
    """Have a profile hold for a port, instead of its groups."""
    txn.execute(
        "UPDATE port SET profile = %s, updated = now() WHERE id = %s", (word, port)
    )


def groups_of(txn: Transaction, chosen: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Return the ids of the groups that ports are in."""
    known = list(chosen)
    found: dict[UUID, list[UUID]] = {port: [] for port in known}
    for port, group in every(
        txn,
        "SELECT port_id, group_id FROM port_group WHERE port_id = ANY(%s)"
        " ORDER BY port_id, group_id",
        (known,),
    ):
        found[port].append(group)
    return found
