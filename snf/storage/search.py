"""Lists of servers: filters, orders and pages, each list one query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import frozen
from psycopg2.errors import InvalidRegularExpression, QueryCanceled

from snf.core.errors import BadRequest, Unavailable
from snf.core.server import Status
from snf.storage.database import Transaction
from snf.storage.lists import beyond
from snf.storage.rows import arguments, every, narrowed, one
from snf.storage.servers import FROM, TEXT


@frozen
class Key:
    """What a list is sorted by: a name of :data:`KEYS`, and which way."""

    name: str
    ascending: bool = False


@frozen
class Wanted:
    """Which servers a listing asks for; what is None does not narrow it.

    :ivar project: Whose; None for those of all projects.
    :ivar name: A regular expression that is found in the name.
    :ivar ip: A regular expression that is found in an IPv4 address.
    :ivar ip6: A regular expression that is found in an IPv6 address.
    :ivar changed_since: Deleted servers count too then.
    :ivar changed_before: They count too then, as well.
    :ivar deleted: Only deleted servers count.
    :ivar tags: All of these.
    :ivar tags_any: At least one of these.
    :ivar not_tags: Not all of these.
    :ivar not_tags_any: None of these.
    :ivar statuses: One of these.
    :ivar observed: Ganeti was last seen to make one of these of it.
    :ivar order: What to sort by before all else; the newest are first in the end.
    """

    project: UUID | None
    name: str | None = None
    status: Status | None = None
    statuses: Sequence[str] | None = None
    observed: Sequence[str] | None = None
    task: str | None = None
    progress: int | None = None
    ids: Sequence[UUID] | None = None
    user: UUID | None = None
    image: UUID | None = None
    flavor: UUID | None = None
    host: str | None = None
    reservation: str | None = None
    ip: str | None = None
    ip6: str | None = None
    locked: bool | None = None
    key_name: str | None = None
    config_drive: bool | None = None
    tags: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    not_tags: Sequence[str] | None = None
    not_tags_any: Sequence[str] | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None
    created: datetime | None = None
    launched: datetime | None = None
    terminated: datetime | None = None
    deleted: bool = False
    marker: UUID | None = None
    order: Sequence[Key] = ()


_TAGS = "ARRAY(SELECT t.tag FROM server_tag t WHERE t.server_id = s.id)"

_ADDRESS = (
    "EXISTS (SELECT FROM port p JOIN address a ON a.port_id = p.id"
    " WHERE p.server_id = s.id AND family(a.address) = {family}"
    " AND host(a.address) ~ %({name})s)"
)

_FILTERS = {
    "project": "s.project_id = %(project)s",
    "name": "s.name ~* %(name)s",
    "status": "s.status = %(status)s",
    "statuses": "s.status = ANY(%(statuses)s)",
    "observed": "s.observed = ANY(%(observed)s)",
    "task": "coalesce(s.task, '') = %(task)s",
    "progress": "s.progress = %(progress)s",
    "ids": "s.uuid = ANY(%(ids)s)",
    "user": "s.user_id = %(user)s",
    "image": "s.image_id = %(image)s",
    "flavor": "s.flavor_id = %(flavor)s",
    "host": "c.name = %(host)s",
    "reservation": "s.reservation = %(reservation)s",
    "ip": _ADDRESS.format(family=4, name="ip"),
    "ip6": _ADDRESS.format(family=6, name="ip6"),
    "locked": "(s.locked_by IS NOT NULL) = %(locked)s",
    "key_name": "coalesce(s.key_name, '') = %(key_name)s",
    "config_drive": "s.config_drive = %(config_drive)s",
    "tags": f"{_TAGS} @> %(tags)s::text[]",
    "tags_any": f"{_TAGS} && %(tags_any)s::text[]",
    "not_tags": f"NOT {_TAGS} @> %(not_tags)s::text[]",
    "not_tags_any": f"NOT {_TAGS} && %(not_tags_any)s::text[]",
    "changed_since": "s.updated >= %(changed_since)s",
    "changed_before": "s.updated <= %(changed_before)s",
    "created": "date_trunc('second', s.created) = %(created)s",
    "launched": "date_trunc('second', s.launched) = %(launched)s",
    "terminated": "date_trunc('second', s.deleted) = %(terminated)s",
}

# What a list may be sorted by, by OpenStack's names, as expressions that are never
# NULL; None where all servers are the same in it.
KEYS: Mapping[str, str | None] = {
    "access_ip_v4": None,
    "access_ip_v6": None,
    "auto_disk_config": None,
    "availability_zone": None,
    "config_drive": "{t}.config_drive",
    "created_at": "{t}.created",
    "display_description": "coalesce({t}.description, '')",
    "display_name": "{t}.name",
    "hostname": "coalesce({t}.hostname, '')",
    "image_ref": "{t}.image_id",
    "instance_type_id": "{t}.flavor_id",
    "kernel_id": None,
    "key_name": "coalesce({t}.key_name, '')",
    "launch_index": "{t}.launch_index",
    "launched_at": "coalesce({t}.launched, '-infinity')",
    "locked": "({t}.locked_by IS NOT NULL)",
    "power_state": "{t}.observed",
    "progress": "{t}.progress",
    "project_id": "{t}.project_id",
    "ramdisk_id": None,
    "root_device_name": None,
    "task_state": "coalesce({t}.task, '')",
    "terminated_at": "coalesce({t}.deleted, '-infinity')",
    "updated_at": "{t}.updated",
    "user_id": "{t}.user_id",
    "uuid": "{t}.uuid",
    "vm_state": "{t}.status",
    # For admins.
    "host": "{t}.cluster_id",
    "node": "{t}.cluster_id",
}

# A regular expression can be made to take forever (PostgreSQL's manual, 9.7.3).  The
# first is enough for a sane one; of those that take longer, only some may at a time,
# so that there are threads and processors left for everybody else.
_QUICK_MS = 200
_PATIENCE_MS = 1500
_SLOW_AT_ONCE = 2
_RETRY_AFTER_S = 2

# The class of the advisory locks that are the places of slow searches.
_PLACES = 0x736C6F

_PATTERNS = ("name", "ip", "ip6")


# What lists have of a server: its id and name, or its id and everything.
BRIEF = "s.uuid, s.name"
FULL = f"s.uuid, {TEXT}"


def listing(
    txn: Transaction, wanted: Wanted, limit: int, columns: str = FULL
) -> list[tuple[UUID, str]]:
    """
    Return servers, newest first where nothing else is wanted, those after the marker.

    Each is its id and what :data:`BRIEF` or :data:`FULL` has of it; the latter is for
    :func:`snf.storage.servers.from_text`.

    :raises BadRequest: A pattern is not a regular expression, or one that takes too
        long, or there is no such marker.
    :raises Unavailable: A pattern takes long, and so do enough others already.
    """
    if wanted.marker is not None and not _known(txn, wanted):
        raise BadRequest(f"marker [{wanted.marker}] not found")
    patterns = [name for name in _PATTERNS if getattr(wanted, name) is not None]
    statement, given = query(wanted, columns), arguments(wanted, limit=limit)
    try:
        return (_searched if patterns else every)(txn, statement, given)
    except InvalidRegularExpression:
        named = " or ".join(patterns)
        raise BadRequest(f"{named}: is not a valid regular expression") from None
    except QueryCanceled:
        if not patterns:
            raise
        named = " or ".join(patterns)
        raise BadRequest(f"{named}: takes too long to be searched for") from None


def _searched(
    txn: Transaction, statement: str, given: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """
    Return the rows of a statement that has patterns.

    :raises QueryCanceled: It takes too long.
    :raises Unavailable: It takes long, and so do enough others already.
    """
    try:
        return _within(txn, _QUICK_MS, statement, given)
    except QueryCanceled:
        pass
    return _within(txn, _PATIENCE_MS, statement, given, slow=True)


def _within(
    txn: Transaction,
    milliseconds: int,
    statement: str,
    given: Mapping[str, object],
    slow: bool = False,
) -> list[tuple[Any, ...]]:
    txn.execute("SAVEPOINT search")
    try:
        if slow:
            _take_place(txn)
        txn.execute(f"SET LOCAL statement_timeout = {milliseconds}")
        return every(txn, statement, given)
    finally:
        # The time and the place are this statement's only.
        txn.execute("ROLLBACK TO SAVEPOINT search")


def _take_place(txn: Transaction) -> None:
    for place in range(_SLOW_AT_ONCE):
        taken = "SELECT pg_try_advisory_xact_lock(%s, %s)"
        if one(txn, taken, (_PLACES, place)) == (True,):
            return
    raise Unavailable(
        "Too many are searching for what takes long; try again later", _RETRY_AFTER_S
    )


def query(wanted: Wanted, columns: str = FULL) -> str:
    """Return the statement of a list; its arguments are what is wanted, and ``limit``."""
    return (
        f"SELECT {columns}{FROM} WHERE {_where(wanted)}"
        f" ORDER BY {_order(wanted)} LIMIT %(limit)s"
    )


def _where(wanted: Wanted) -> str:
    condition = narrowed(_living(wanted), _FILTERS, wanted)
    if wanted.marker is None:
        return condition
    return f"{condition} AND {_after(_keys(wanted))}"


def _living(wanted: Wanted) -> str:
    if wanted.deleted:
        return "s.deleted IS NOT NULL"
    if wanted.changed_since is None and wanted.changed_before is None:
        return "s.deleted IS NULL"
    return "true"


def _keys(wanted: Wanted) -> list[tuple[str, bool]]:
    """Return the expressions to sort by, each with whether it ascends."""
    keys = []
    for key in wanted.order:
        expression = KEYS[key.name]
        if expression is not None:
            keys.append((expression, key.ascending))
    # So that the order is always the same; in the first key's direction, as Nova does.
    ascending = wanted.order[0].ascending if wanted.order else False
    return [*keys, ("{t}.created", ascending), ("{t}.id", ascending)]


def _order(wanted: Wanted) -> str:
    return ", ".join(
        f"{expression.format(t='s')} {'ASC' if ascending else 'DESC'}"
        for expression, ascending in _keys(wanted)
    )


def _after(keys: Sequence[tuple[str, bool]]) -> str:
    """Return the condition of being after the marker."""
    ours = [expression.format(t="s") for expression, _ in keys]
    markers = [expression.format(t="m") for expression, _ in keys]
    marker = "FROM server m WHERE m.uuid = %(marker)s"
    ways = [ascending for _, ascending in keys]
    if len(set(ways)) == 1:
        # This form can use an index.
        sign = ">" if ways[0] else "<"
        return f"({', '.join(ours)}) {sign} (SELECT {', '.join(markers)} {marker})"
    return f"(SELECT {beyond(ours, markers, ways)} {marker})"


def _known(txn: Transaction, wanted: Wanted) -> bool:
    found = one(
        txn,
        "SELECT true FROM server WHERE uuid = %(marker)s"
        " AND (%(project)s IS NULL OR project_id = %(project)s)",
        {"marker": wanted.marker, "project": wanted.project},
    )
    return found is not None
