"""Lists of images as Glance's clients ask for them: narrowed, sorted and paged."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.core.catalog import Image
from snf.core.errors import BadRequest
from snf.storage.database import Transaction
from snf.storage.images import COLUMNS, from_row
from snf.storage.lists import Field, Key, Type, beyond
from snf.storage.rows import every, one

# What a list can be narrowed and sorted by, by Glance's names.
FIELDS: Mapping[str, Field] = {
    "id": Field("i.id", Type.ID),
    "name": Field("i.name"),
    "status": Field("i.status"),
    "visibility": Field("i.visibility"),
    "owner": Field("coalesce(i.project_id::text, '')"),
    "disk_format": Field("coalesce(i.disk_format, '')"),
    "container_format": Field("coalesce(i.container_format, '')"),
    "checksum": Field("coalesce(i.checksum, '')"),
    "os_hash_value": Field("coalesce(i.hash_value, '')"),
    "os_hash_algo": Field("coalesce(i.hash_algo, '')"),
    "size": Field("i.size_bytes", Type.NUMBER),
    "virtual_size": Field("coalesce(i.virtual_size_bytes, 0)", Type.NUMBER),
    "min_disk": Field("i.min_disk_gib", Type.NUMBER),
    "min_ram": Field("i.min_ram_mib", Type.NUMBER),
    "protected": Field("i.protected", Type.FLAG),
    "created_at": Field("i.created", Type.TIME),
    "updated_at": Field("i.updated", Type.TIME),
}

# How a field may be compared, by Glance's words.
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "<>"}

NEWEST_FIRST = (Key("created_at", ascending=False),)


@frozen
class Test:
    """What must hold of a field: it compares so with one value, or is one of several."""

    name: str
    values: Sequence[Any]
    operator: str = "="


@frozen
class Wanted:
    """Which images a list asks for.

    :ivar project: Whose view it is.
    :ivar everything: Whether others' images are in it, too.
    :ivar visibility: One of those that there are, or ``all``; None: what is usual.
    :ivar member_status: Which of those that are shared with the project: those that it
        has accepted; None for all.
    :ivar hidden: Whether it is the hidden ones that are asked for.
    :ivar tests: What must hold.
    :ivar properties: What owners have set, by name.
    :ivar tags: All of these.
    """

    project: UUID | None
    everything: bool = False
    visibility: str | None = None
    member_status: str | None = "accepted"
    hidden: bool = False
    tests: Sequence[Test] = ()
    properties: Mapping[str, str] = {}
    tags: Sequence[str] = ()
    order: Sequence[Key] = NEWEST_FIRST
    marker: UUID | None = None


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[Image]:
    """
    Return what is wanted, in its order.

    :raises BadRequest: There is no such marker.
    """
    conditions, arguments = _conditions(wanted)
    keys = [(_typed(key.name), key.ascending) for key in wanted.order]
    keys.append(("i.id", wanted.order[-1].ascending))
    if wanted.marker is not None:
        after, values = _after(txn, wanted, keys)
        conditions.append(after)
        arguments |= values
    order = ", ".join(f"{sql} {'ASC' if up else 'DESC'}" for sql, up in keys)
    rows = every(
        txn,
        f"SELECT {COLUMNS} FROM image i WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order} LIMIT %(limit)s",
        arguments | {"limit": limit},
    )
    return [from_row(row) for row in rows]


_OWN = "i.project_id = %(project)s"
_SHARED = (
    "(i.visibility = 'shared' AND EXISTS (SELECT FROM image_member m"
    " WHERE m.image_id = i.id AND m.project_id = %(project)s"
    " AND (%(member_status)s::text IS NULL OR m.status = %(member_status)s)))"
)


def _visible(wanted: Wanted) -> str:
    """Return which images the caller sees, of the visibility that is asked for."""
    kind = wanted.visibility
    others = "true" if wanted.everything else f"({_OWN} OR {_SHARED})"
    if kind in (None, "all"):
        mine = "true" if wanted.everything else f"({_OWN} OR {_SHARED})"
        also = "i.visibility = 'public'"
        if kind == "all":
            return f"({mine} OR {also} OR i.visibility = 'community')"
        # Others' community images are there for those who ask for them.
        return f"({_OWN} OR {also} OR i.visibility <> 'community' AND {mine})"
    if kind in ("public", "community"):
        return "i.visibility = %(visibility)s"
    return f"i.visibility = %(visibility)s AND {others}"


def _conditions(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    conditions = [
        "i.deleted IS NULL",
        _visible(wanted),
        "i.hidden" if wanted.hidden else "NOT i.hidden",
    ]
    arguments: dict[str, Any] = {
        "project": wanted.project,
        "visibility": wanted.visibility,
        "member_status": wanted.member_status,
    }
    for number, test in enumerate(wanted.tests):
        known, given = FIELDS[test.name], f"%(test_{number})s"
        kind = known.type.value
        if test.operator == "=":
            conditions.append(f"{known.sql} = ANY({given}::{kind}[])")
            arguments[f"test_{number}"] = list(test.values)
        else:
            conditions.append(f"{known.sql} {test.operator} {given}::{kind}")
            [arguments[f"test_{number}"]] = test.values
    for number, (name, value) in enumerate(wanted.properties.items()):
        conditions.append(f"i.properties ->> %(key_{number})s = %(value_{number})s")
        arguments |= {f"key_{number}": name, f"value_{number}": value}
    if wanted.tags:
        conditions.append("i.tags @> %(tags)s::text[]")
        arguments["tags"] = list(wanted.tags)
    return conditions, arguments


def _typed(name: str) -> str:
    return f"({FIELDS[name].sql})::{FIELDS[name].type.value}"


def _after(
    txn: Transaction, wanted: Wanted, keys: Sequence[tuple[str, bool]]
) -> tuple[str, dict[str, Any]]:
    """Return the condition of being after the marker, and its arguments."""
    ours = [sql for sql, _ in keys]
    row = one(
        txn,
        f"SELECT {', '.join(ours)} FROM image i WHERE i.deleted IS NULL"
        " AND i.id = %(marker)s AND (%(everything)s OR i.project_id = %(project)s"
        " OR i.visibility IN ('public', 'community') OR i.visibility = 'shared' AND"
        " EXISTS (SELECT FROM image_member m WHERE m.image_id = i.id"
        " AND m.project_id = %(project)s))",
        {
            "marker": wanted.marker,
            "project": wanted.project,
            "everything": wanted.everything,
        },
    )
    if row is None:
        raise BadRequest(f"marker [{wanted.marker}] not found")
    types = [*(FIELDS[key.name].type for key in wanted.order), Type.ID]
    markers = [f"%(after_{n})s::{kind.value}" for n, kind in enumerate(types)]
    condition = beyond(ours, markers, [ascending for _, ascending in keys])
    return condition, {f"after_{n}": value for n, value in enumerate(row)}
