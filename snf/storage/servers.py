"""Servers, as their owners see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from attrs import field, frozen
from psycopg2.extras import execute_values

from snf.core.catalog import Flavor
from snf.core.errors import NotFound
from snf.core.naming import host_name
from snf.core.server import Fault, Observed, Status, Task
from snf.storage import flavors
from snf.storage.database import Transaction, uuid_of
from snf.storage.prepared import Prepared
from snf.storage.rows import required


@frozen
class Place:
    """One address of a server: on which network, on which interface.

    :ivar version: Of IP: 4 or 6.
    :ivar floating: Whether a floating IP stands for the interface's own address.
    """

    network: str
    mac: str
    address: str
    version: int
    floating: bool = False


@frozen
class Lock:
    """Who (``owner`` or ``admin``) keeps a server from being changed, and why."""

    by: str
    reason: str | None = None


# Lists make a thousand: without slots a frozen one is made in a fifth of the time.
@frozen(slots=False)
class Server:
    """A server with all that its owner sees of it.

    ``reservation`` is what all servers that were asked for at once share.
    ``host_status`` is OpenStack's word for how its cluster is.  ``suspended`` is
    whether an operator has taken it from its owner.  ``key_name`` is that of the key
    pair that its guest was given, which there need not be any more; ``config_drive``
    is whether it has a disk that tells its guest such things.
    """

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
    description: str | None
    hostname: str
    lock: Lock | None
    pinned_zone: str | None
    reservation: str
    launch_index: int
    host_status: str
    suspended: bool
    key_name: str | None
    config_drive: bool
    flavor: Flavor
    metadata: Mapping[str, str] = field(factory=dict)
    tags: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    flavor_specs: Mapping[str, str] = field(factory=dict)
    group: UUID | None = None
    image_properties: Mapping[str, str] = field(factory=dict)
    security_groups: tuple[str, ...] = ()


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
    description: str | None = None
    hostname: str | None = None
    pinned_zone: str | None = None
    reservation: str | None = None
    launch_index: int = 0
    key_name: str | None = None
    config_drive: bool = False


# The groups are those of the view port_group, written out: joined with it, PostgreSQL
# looks at all ports of a project for each of its servers.
COLUMNS = f"""
    s.id, s.uuid, s.project_id, s.user_id, s.name, s.image_id, s.cluster_id,
    s.observed, s.status, s.task, s.progress, s.fault, s.created, s.updated,
    s.launched, s.deleted, c.name,
    s.description, s.hostname, s.locked_by, s.lock_reason, s.pinned_zone,
    s.reservation, s.launch_index,
    CASE WHEN c.offline THEN 'DOWN' WHEN c.unreachable_since IS NOT NULL
    THEN 'UNKNOWN' WHEN c.drained THEN 'MAINTENANCE' ELSE 'UP' END,
    s.suspended, s.key_name, s.config_drive,
    ARRAY(SELECT t.tag FROM server_tag t WHERE t.server_id = s.id ORDER BY t.tag),
    (SELECT json_object_agg(e.key, e.value) FROM flavor_extra_spec e
     WHERE e.flavor_id = s.flavor_id),
    (SELECT json_object_agg(m.key, m.value) FROM server_metadata m
     WHERE m.server_id = s.id),
    (SELECT json_agg(json_build_array(n.name, p.mac, host(a.address),
                                      family(a.address), a.floating)
                     ORDER BY p.position, a.floating, a.address)
     FROM port p JOIN network n ON n.id = p.network_id
     CROSS JOIN LATERAL (
         SELECT own.address, false AS floating FROM address own WHERE own.port_id = p.id
         UNION ALL
         SELECT its.address, true FROM floating_ip f
         JOIN address its ON its.floating_ip_id = f.id WHERE f.port_id = p.id) a
     WHERE p.server_id = s.id),
    (SELECT e.group_id FROM server_group_member e WHERE e.server_id = s.id),
    (SELECT i.properties FROM image i WHERE i.id = s.image_id),
    ARRAY(SELECT g.name FROM port p JOIN port_security_group m ON m.port_id = p.id
          JOIN security_group g ON g.id = m.group_id WHERE p.server_id = s.id
          UNION
          SELECT d.name FROM port p JOIN security_group d
          ON d.project_id = p.project_id AND d.is_default
          WHERE p.server_id = s.id AND NOT p.grouped ORDER BY 1),
    {flavors.COLUMNS}"""

FROM = (
    " FROM server s JOIN cluster c ON c.id = s.cluster_id"
    " JOIN flavor f ON f.id = s.flavor_id "
)

# The same as one text, which is quicker to fetch, and the same whenever they are.
TEXT = f"json_build_array({COLUMNS})::text"

_IDS = (1, 2, 3, 5, 32, 35)
_TIMES = (12, 13, 14, 15)


def from_text(text: str) -> Server:
    """Return the server in a :data:`TEXT`."""
    row = orjson.loads(text)
    for at in _IDS:
        row[at] = row[at] and uuid_of(row[at])
    for at in _TIMES:
        row[at] = row[at] and datetime.fromisoformat(row[at])
    return from_row(tuple(row))


def from_row(row: tuple[Any, ...]) -> Server:
    """Return the server in a row of :data:`COLUMNS`."""
    named, hostname, locked_by, reason, *others = row[17:28]
    tags, specs, metadata, places, group, image, names = row[28:35]
    values = (
        *row[:7],
        Observed(row[7]),
        Status(row[8]),
        row[9] and Task(row[9]),
        row[10],
        row[11] and Fault(**row[11]),
        *row[12:17],
        named,
        hostname or host_name(row[4], row[1]),
        locked_by and Lock(locked_by, reason),
        others[0],
        # One that is as old as the service itself was asked for alone.
        others[1] or f"r-{row[1].hex[:8]}",
        *others[2:],
        flavors.from_row(row[35:]),
        metadata or {},
        tuple(tags),
        tuple(Place(*place) for place in places or ()),
        specs or {},
        group,
        image or {},
        tuple(names),
    )
    return Server(*values)


_GET = Prepared(
    "server_get",
    f"SELECT {COLUMNS}{FROM} WHERE s.uuid = $1 AND s.deleted IS NULL"
    " AND ($2::uuid IS NULL OR s.project_id = $2)",
)


def get(txn: Transaction, project: UUID | None, server: UUID) -> Server:
    """
    Return a server that has not been deleted.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    row = _GET.one(txn, server, project)
    if row is None:
        raise NotFound(missing(server))
    return from_row(row)


def locate(
    txn: Transaction, project: UUID | None, server: UUID, deleted: bool = False
) -> tuple[int, int]:
    """
    Return the id of a server, and its cluster's id.

    :param project: Whose; None for anybody's.
    :param deleted: Whether it may have been deleted.
    :raises NotFound: There is none, or it is somebody else's.
    """
    row = required(
        txn,
        missing(server),
        "SELECT s.id, s.cluster_id FROM server s WHERE s.uuid = %(uuid)s"
        " AND (s.deleted IS NULL OR %(deleted)s)"
        " AND (%(project)s IS NULL OR s.project_id = %(project)s)",
        {"uuid": server, "project": project, "deleted": deleted},
    )
    return row[0], row[1]


_ADD = Prepared(
    "server_add",
    "INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id,"
    " cluster_id, description, hostname, pinned_zone, reservation, launch_index,"
    " task, key_name, config_drive) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
    " $11, $12, $13, $14, $15)"
    " RETURNING id",
)


def add(txn: Transaction, server: NewServer) -> int:
    """Store a new server and return its id."""
    row = _ADD.one(
        txn,
        server.uuid,
        server.project,
        server.user,
        server.name,
        server.flavor,
        server.image,
        server.cluster,
        server.description,
        server.hostname,
        server.pinned_zone,
        server.reservation,
        server.launch_index,
        Task.SPAWNING.value,
        server.key_name,
        server.config_drive,
    )
    assert row is not None
    if server.metadata:
        execute_values(
            txn,
            "INSERT INTO server_metadata (server_id, key, value) VALUES %s",
            [(row[0], key, value) for key, value in server.metadata.items()],
        )
    return row[0]


def change(txn: Transaction, server: int, changes: Mapping[str, str | None]) -> None:
    """Change a server's name, description, hostname or the name of its key pair."""
    columns = [name for name in _CHANGING if name in changes]
    sets = "".join(f"{name} = %({name})s, " for name in columns)
    txn.execute(
        f"UPDATE server SET {sets}updated = now() WHERE id = %(server)s",
        {**changes, "server": server},
    )


_CHANGING = ("name", "description", "hostname", "key_name")


def touch(txn: Transaction, server: int) -> None:
    """Note that a server changes, and have other changes of it wait for this one."""
    txn.execute("UPDATE server SET updated = now() WHERE id = %s", (server,))


def missing(server: UUID) -> str:
    """Return what to say of a server that is not there."""
    return f"Instance {server} could not be found."
