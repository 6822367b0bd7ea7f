"""Lists that are narrowed, sorted and paged by named fields, each list one query.

A kind of thing says once what its fields are in SQL (:class:`Listed`); all that a client
asks for is then data.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

from attrs import field, frozen

from snf.core.errors import NotFound
from snf.storage.database import Transaction
from snf.storage.rows import every, one

_Thing = TypeVar("_Thing")


class Type(Enum):
    """What a field holds; the value is PostgreSQL's name of it."""

    TEXT = "text"
    ID = "uuid"
    FLAG = "boolean"
    NUMBER = "bigint"
    ADDRESS = "inet"
    CIDR = "cidr"
    MAC = "macaddr"
    TIME = "timestamptz"


@frozen
class Field:
    """What a list can be narrowed and sorted by.

    :ivar sql: An expression; not NULL where it is sorted by.
    :ivar many: It is an array, of which one wanted value is enough.
    """

    sql: str
    type: Type = Type.TEXT
    many: bool = False
    sorts: bool = True


@frozen
class Listed(Generic[_Thing]):
    """What the lists of one kind of thing are made of.

    :ivar columns: What is selected.
    :ivar source: What from: tables and how they are joined.
    :ivar make: Makes a thing of a row.
    :ivar id: The expression of the id, by which a list is sorted in the end.
    :ivar visible: The condition of being visible to ``%(project)s``.
    :ivar always: What holds of all that is there.
    :ivar tags: The expression of the array of tags; None if the kind has none.
    """

    columns: str
    source: str
    make: Callable[[tuple], _Thing]
    id: str
    visible: str
    fields: Mapping[str, Field]
    always: str = "true"
    tags: str | None = None


@frozen
class Key:
    """A field to sort by, and which way."""

    name: str
    ascending: bool = True


@frozen
class Wanted:
    """Which of the things a list asks for.

    :ivar project: Whose view it is; None for what is everybody's.
    :ivar only: By the field's name the values of which it must have one.
    :ivar tags: All of these.
    :ivar tags_any: At least one of these.
    :ivar not_tags: Not all of these.
    :ivar not_tags_any: None of these.
    :ivar marker: The last one of the page before; backwards, the first of the next one.
    """

    project: UUID | None = None
    only: Mapping[str, Sequence[Any]] = field(factory=dict)
    tags: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    not_tags: Sequence[str] | None = None
    not_tags_any: Sequence[str] | None = None
    order: Sequence[Key] = ()
    marker: UUID | None = None
    backwards: bool = False


def listing(
    txn: Transaction, listed: Listed[_Thing], wanted: Wanted, limit: int
) -> list[_Thing]:
    """
    Return what is wanted, in its order, by id in the end.

    :raises NotFound: There is no such marker, and it is sorted by more than the id.
    """
    conditions, arguments = _conditions(listed, wanted)
    keys = _keys(listed, wanted)
    if wanted.marker is not None:
        after, values = _after(txn, listed, wanted, keys)
        conditions.append(after)
        arguments |= values
    order = ", ".join(f"{sql} {'ASC' if up else 'DESC'}" for sql, up in keys)
    rows = every(
        txn,
        f"SELECT {listed.columns} FROM {listed.source}"
        f" WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order} LIMIT %(limit)s",
        arguments | {"limit": limit},
    )
    found = [listed.make(row) for row in rows]
    return found[::-1] if wanted.backwards else found


def get(
    txn: Transaction, listed: Listed[_Thing], project: UUID | None, thing: UUID
) -> _Thing | None:
    """Return one that a project sees; None when it sees no such thing."""
    row = one(
        txn,
        f"SELECT {listed.columns} FROM {listed.source}"
        f" WHERE {listed.always} AND {_whose(listed, project)} AND {listed.id} = %(id)s",
        {"project": project, "id": thing},
    )
    return None if row is None else listed.make(row)


def beyond(
    ours: Sequence[str], markers: Sequence[str], ascending: Sequence[bool]
) -> str:
    """Return the condition that some expressions are after others, each its way."""
    if len(set(ascending)) == 1:
        # This form can use an index.
        return (
            f"({', '.join(ours)}) {'>' if ascending[0] else '<'} ({', '.join(markers)})"
        )
    condition = "false"
    for mine, its, up in reversed([*zip(ours, markers, ascending, strict=True)]):
        sign = ">" if up else "<"
        condition = f"({mine} {sign} {its} OR ({mine} = {its} AND {condition}))"
    return condition


def _whose(listed: Listed, project: UUID | None) -> str:
    return "true" if project is None else listed.visible


_TAGS = {
    "tags": "{} @> %(tags)s::text[]",
    "tags_any": "{} && %(tags_any)s::text[]",
    "not_tags": "NOT {} @> %(not_tags)s::text[]",
    "not_tags_any": "NOT {} && %(not_tags_any)s::text[]",
}


def _conditions(listed: Listed, wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    conditions = [listed.always, _whose(listed, wanted.project)]
    arguments: dict[str, Any] = {"project": wanted.project}
    for number, (name, values) in enumerate(wanted.only.items()):
        known = listed.fields[name]
        test = "{} && {}" if known.many else "{} = ANY({})"
        values_sql = f"%(only_{number})s::{known.type.value}[]"
        conditions.append(test.format(known.sql, values_sql))
        arguments[f"only_{number}"] = list(values)
    for name, test in _TAGS.items():
        tags = getattr(wanted, name)
        if tags is not None and listed.tags is not None:
            conditions.append(test.format(listed.tags))
            arguments[name] = list(tags)
    return conditions, arguments


def _keys(listed: Listed, wanted: Wanted) -> list[tuple[str, bool]]:
    """Return the expressions to sort by, each with whether it ascends."""
    keys = [(_typed(listed.fields[key.name]), key.ascending) for key in wanted.order]
    keys.append((listed.id, True))
    return [(sql, ascending != wanted.backwards) for sql, ascending in keys]


def _typed(known: Field) -> str:
    # The type makes of a constant an expression, by which PostgreSQL lets itself sort.
    return f"({known.sql})::{known.type.value}"


def _after(
    txn: Transaction,
    listed: Listed,
    wanted: Wanted,
    keys: Sequence[tuple[str, bool]],
) -> tuple[str, dict[str, Any]]:
    """Return the condition of being after the marker, and its arguments."""
    if not wanted.order:
        # Goes on also when the marker has been deleted in between.
        return f"{listed.id} {'<' if wanted.backwards else '>'} %(marker)s", {
            "marker": wanted.marker
        }
    ours = [sql for sql, _ in keys]
    values = one(
        txn,
        f"SELECT {', '.join(ours)} FROM {listed.source} WHERE {listed.always}"
        f" AND {_whose(listed, wanted.project)} AND {listed.id} = %(marker)s",
        {"project": wanted.project, "marker": wanted.marker},
    )
    if values is None:
        raise NotFound(f"marker [{wanted.marker}] not found")
    types = [*(listed.fields[key.name].type for key in wanted.order), Type.ID]
    markers = [f"%(after_{n})s::{kind.value}" for n, kind in enumerate(types)]
    condition = beyond(ours, markers, [ascending for _, ascending in keys])
    return condition, {f"after_{n}": value for n, value in enumerate(values)}
