"""What a list of images is asked for: the query, read with care."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from attrs import frozen

from snf.api.call import Call, identifier
from snf.core.errors import BadRequest, NotFound
from snf.core.image import VISIBILITIES
from snf.storage.image_lists import FIELDS, NEWEST_FIRST, OPERATORS, Test, Wanted
from snf.storage.lists import Key, Type


class Nothing(Exception):
    """A filter that nothing can match."""


# What is no filter.
_OTHERS = frozenset(
    {
        "limit",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "member_status",
        "os_hidden",
        "visibility",
        "tag",
    }
)

_SORT_KEYS = tuple(sorted(FIELDS))
_SORTS_AT_MOST = 10


@frozen
class _Filter:
    """How a parameter narrows a list.

    :ivar field: By the name in :data:`FIELDS`.
    :ivar several: Whether it may be ``in:a,b``.
    :ivar operator: What stands in front, where it is not the value that says it.
    """

    field: str
    several: bool = False
    operator: str | None = None


_FILTERS: Mapping[str, _Filter] = {
    **{
        name: _Filter(name, several=True)
        for name in ("id", "name", "status", "disk_format", "container_format")
    },
    **{
        name: _Filter(name)
        for name in (
            "owner",
            "checksum",
            "os_hash_value",
            "os_hash_algo",
            "min_disk",
            "min_ram",
            "size",
            "virtual_size",
            "protected",
            "created_at",
            "updated_at",
        )
    },
    "size_min": _Filter("size", operator=">="),
    "size_max": _Filter("size", operator="<="),
}


def wanted(call: Call) -> Wanted:
    """
    Return which images a list asks for, in which order.

    :raises BadRequest: A filter makes no sense; names it.
    :raises Nothing: No image can match.
    """
    visibility = _choice(call, "visibility", (*VISIBILITIES, "all"))
    status = _choice(call, "member_status", ("pending", "accepted", "rejected", "all"))
    tests, properties = [], {}
    for name in call.arguments:
        text = call.argument(name) or ""
        if name in _FILTERS:
            tests.append(_test(name, _FILTERS[name], text))
        elif name not in _OTHERS:
            properties[name] = text
    return Wanted(
        project=call.grant.project_id,
        everything=call.is_admin,
        visibility=visibility,
        member_status=None if status == "all" else status or "accepted",
        hidden=call.flag("os_hidden"),
        tests=tests,
        properties=properties,
        tags=call.every("tag") or (),
        order=_order(call),
        marker=call.marker(),
    )


def first_page(call: Call) -> str:
    """Return the URL of the list's first page, with the same filters."""
    query = {name: one for name, one in call.arguments.items() if name != "marker"}
    return f"/v2/images?{urlencode(query, doseq=True)}" if query else "/v2/images"


def _choice(call: Call, name: str, known: tuple[str, ...]) -> str | None:
    text = call.argument(name)
    if text is not None and text not in known:
        raise BadRequest(f"{name}: must be one of {', '.join(known)}")
    return text


def _test(name: str, known: _Filter, text: str) -> Test:
    read = _READERS[FIELDS[known.field].type]
    if known.several and text.startswith("in:"):
        words = [word.strip().strip('"') for word in text[3:].split(",")]
        return Test(
            known.field,
            [value for word in words for value in _or_none(read, name, word)],
        )
    if known.operator is not None:
        return Test(known.field, [read(name, text)], known.operator)
    before, colon, after = text.partition(":")
    if colon and before in OPERATORS and FIELDS[known.field].type in _ORDERED:
        return Test(known.field, [read(name, after)], OPERATORS[before])
    if FIELDS[known.field].type is Type.ID:
        return Test(known.field, _or_none(read, name, text))
    return Test(known.field, [read(name, text)])


_ORDERED = (Type.TIME, Type.NUMBER)


def _or_none(read: Callable[[str, str], Any], name: str, word: str) -> list[Any]:
    """Return what a word stands for, if anything can have it."""
    try:
        return [read(name, word)]
    except NotFound:
        return []


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"{name}: must be a whole number that is not negative")
    return int(text)


def _flag(name: str, text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise BadRequest(f"{name}: must be true or false") from None


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        # Near both ends there are times of which UTC's is none.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: must be a time like 2027-01-15T08:00:00Z") from None


_READERS: Mapping[Type, Callable[[str, str], Any]] = {
    Type.TEXT: lambda name, text: text,
    Type.ID: lambda name, text: identifier(text, "{}"),
    Type.NUMBER: _number,
    Type.FLAG: _flag,
    Type.TIME: _time,
}


def _order(call: Call) -> tuple[Key, ...]:
    """
    Return what a list is sorted by.

    :raises BadRequest: It cannot be.
    """
    text = call.argument("sort")
    keys, ways = call.every("sort_key"), call.every("sort_dir")
    if text is not None:
        if keys or ways:
            raise BadRequest("sort: must not be given with sort_key or sort_dir")
        return _keys("sort", [word.partition(":")[::2] for word in text.split(",")])
    if not keys and not ways:
        return NEWEST_FIRST
    names = list(keys or ["created_at"])
    given = list(ways or ["desc"])
    if len(given) == 1:
        given *= len(names)
    if len(given) != len(names):
        raise BadRequest("sort_dir: must be one, or as many as sort_key")
    return _keys("sort_key", [*zip(names, given, strict=True)])


def _keys(parameter: str, words: list[tuple[str, str]]) -> tuple[Key, ...]:
    if len(words) > _SORTS_AT_MOST:
        raise BadRequest(f"{parameter}: there may be {_SORTS_AT_MOST} keys at most")
    found = []
    for name, way in words:
        if name.strip() not in FIELDS:
            raise BadRequest(f"{parameter}: must be of {', '.join(_SORT_KEYS)}")
        if way.strip() not in ("", "asc", "desc"):
            where = "sort_dir" if parameter == "sort_key" else parameter
            raise BadRequest(f"{where}: must be asc or desc")
        found.append(Key(name.strip(), way.strip() == "asc"))
    return tuple(found)
