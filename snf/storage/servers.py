"""Servers, as their owners see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from uuid import UUID

from attrs import field, frozen
from psycopg2.errors import InvalidRegularExpression, QueryCanceled
from psycopg2.extras import execute_values

from snf.core.address import IPAddress
from snf.core.catalog import Flavor
from snf.core.errors import BadRequest
from snf.core.server import Fault, Observed, Status, Task
from snf.storage import flavors
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one, required


@frozen
class Place:
    """One address of a server: on which network, on which interface."""

    network: str
    mac: str
    address: IPAddress


@frozen
class Server:
    """A server with all that its owner sees of it."""

    id: int
    uuid: UUID
    project: UUID
    user: UUID
    name: str
    image: UUID
    cluster: int
    observed: Observed
    status: Status
    task: Task | None
    progress: int
    fault: Fault | None
    created: datetime
    updated: datetime
    launched: datetime | None
    deleted: datetime | None
    cluster_name: str
    flavor: Flavor
    metadata: Mapping[str, str] = field(factory=dict)
    places: tuple[Place, ...] = ()


@frozen
class Wanted:
    """Which servers a listing asks for; what is None does not narrow it.

    :ivar project: Whose; None for those of all projects.
    :ivar name: A regular expression that is found in the name.
    :ivar changed_since: Deleted servers count too then.
    :ivar deleted: Only deleted servers count.
    """

    project: UUID | None
    name: str | None = None
    status: Status | None = None
    ids: Sequence[UUID] | None = None
    changed_since: datetime | None = None
    deleted: bool = False
    marker: UUID | None = None


@frozen
class NewServer:
    """What is stored of a server when it is asked for."""

    uuid: UUID
    project: UUID
    user: UUID
    name: str
    flavor: UUID
    image: UUID
    cluster: int
    metadata: Mapping[str, str]


_COLUMNS = f"""
    s.id, s.uuid, s.project_id, s.user_id, s.name, s.image_id, s.cluster_id,
    s.observed, s.status, s.task, s.progress, s.fault, s.created, s.updated,
    s.launched, s.deleted, c.name,
    (SELECT jsonb_object_agg(m.key, m.value) FROM server_metadata m
     WHERE m.server_id = s.id),
    (SELECT jsonb_agg(jsonb_build_array(n.name, p.mac, host(a.address))
                      ORDER BY p.position, a.address)
     FROM port p JOIN network n ON n.id = p.network_id
     JOIN address a ON a.port_id = p.id WHERE p.server_id = s.id),
    {flavors.COLUMNS}"""

# A regular expression can be made to take forever (PostgreSQL's manual, 9.7.3); this
# is enough to search the names of 100,000 servers for a sane one.
_PATIENCE_MS = 1500

_FROM = (
    " FROM server s JOIN cluster c ON c.id = s.cluster_id"
    " JOIN flavor f ON f.id = s.flavor_id "
)


def _from_row(row: tuple) -> Server:
    places = tuple(
        Place(network, mac, ip_address(address))
        for network, mac, address in row[18] or ()
    )
    values = (
        *row[:7],
        Observed(row[7]),
        Status(row[8]),
        row[9] and Task(row[9]),
        row[10],
        row[11] and Fault(**row[11]),
        *row[12:17],
        flavors.from_row(row[19:]),
        row[17] or {},
        places,
    )
    return Server(*values)


def get(txn: Transaction, project: UUID | None, server: UUID) -> Server:
    """
    Return a server that has not been deleted.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    return _from_row(
        required(
            txn,
            _missing(server),
            f"SELECT {_COLUMNS}{_FROM} WHERE s.uuid = %(uuid)s AND s.deleted IS NULL"
            " AND (%(project)s IS NULL OR s.project_id = %(project)s)",
            {"uuid": server, "project": project},
        )
    )


def locate(txn: Transaction, project: UUID | None, server: UUID) -> tuple[int, int]:
    """
    Return the id of a server that has not been deleted, and its cluster's id.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    row = required(
        txn,
        _missing(server),
        "SELECT s.id, s.cluster_id FROM server s WHERE s.uuid = %(uuid)s"
        " AND s.deleted IS NULL"
        " AND (%(project)s IS NULL OR s.project_id = %(project)s)",
        {"uuid": server, "project": project},
    )
    return row[0], row[1]


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[Server]:
    """
    Return servers, newest first, those after the marker.

    :raises BadRequest: The name is not a regular expression, or one that takes too
        long, or there is no such marker.
    """
    if wanted.marker is not None and not _known(txn, wanted):
        raise BadRequest(f"marker [{wanted.marker}] not found")
    if wanted.name is not None:
        txn.execute(f"SET LOCAL statement_timeout = {_PATIENCE_MS}")
    alive = "s.deleted IS NULL"
    if wanted.deleted:
        alive = "s.deleted IS NOT NULL"
    elif wanted.changed_since is not None:
        alive = "true"
    try:
        rows = every(
            txn,
            f"SELECT {_COLUMNS}{_FROM} WHERE {narrowed(alive, _FILTERS, wanted)}"
            " ORDER BY s.created DESC, s.id DESC LIMIT %(limit)s",
            arguments(wanted, limit=limit),
        )
    except InvalidRegularExpression:
        raise BadRequest("name: is not a valid regular expression") from None
    except QueryCanceled:
        if wanted.name is None:
            raise
        raise BadRequest("name: takes too long to be searched for") from None
    return [_from_row(row) for row in rows]


_FILTERS = {
    "project": "s.project_id = %(project)s",
    "name": "s.name ~* %(name)s",
    "status": "s.status = %(status)s",
    "ids": "s.uuid = ANY(%(ids)s)",
    "changed_since": "s.updated >= %(changed_since)s",
    "marker": "(s.created, s.id) < (SELECT m.created, m.id FROM server m"
    " WHERE m.uuid = %(marker)s)",
}


def _known(txn: Transaction, wanted: Wanted) -> bool:
    found = one(
        txn,
        "SELECT true FROM server WHERE uuid = %(marker)s"
        " AND (%(project)s IS NULL OR project_id = %(project)s)",
        {"marker": wanted.marker, "project": wanted.project},
    )
    return found is not None


def add(txn: Transaction, server: NewServer) -> int:
    """Store a new server and return its id."""
    row = one(
        txn,
        "INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id,"
        " cluster_id, task) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            server.uuid,
            server.project,
            server.user,
            server.name,
            server.flavor,
            server.image,
            server.cluster,
            Task.SPAWNING.value,
        ),
    )
    assert row is not None
    if server.metadata:
        execute_values(
            txn,
            "INSERT INTO server_metadata (server_id, key, value) VALUES %s",
            [(row[0], key, value) for key, value in server.metadata.items()],
        )
    return row[0]


def rename(txn: Transaction, server: int, name: str) -> None:
    """Give a server another name."""
    txn.execute(
        "UPDATE server SET name = %s, updated = now() WHERE id = %s", (name, server)
    )


def _missing(server: UUID) -> str:
    return f"Instance {server} could not be found."
