"""Bad bodies, made from good ones and from the types that routes read them as."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec
from attrs import frozen
from msgspec import inspect

Path = tuple[str | int, ...]

# What makes no sense in most places.
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    1e308,
    "",
    " ",
    "a\0b",
    "a\nb",
    "-" * 5000,
    "é" * 256,
    "nonsense",
    [],
    ["nonsense"],
    [None],
    {},
    {"nonsense": None},
    {"": ""},
    {"a\0b": "a\0b"},
    [[[[[[[[[[[[]]]]]]]]]]]],
)


@frozen
class Spoiled:
    """A body with something wrong in it.

    :ivar at: Where.
    :ivar sure: Whether it is against the type, so that it has to be refused.
    :ivar names: Of which a refusal must have one.
    """

    body: Any
    at: Path
    sure: bool
    names: frozenset[str]


def spoiled(kind: Any, good: Any) -> Iterator[Spoiled]:
    """
    Return bodies that differ from a good one in one place.

    :param kind: What the route reads it as.
    """
    places = dict.fromkeys([*_in(good), *_of(inspect.type_info(kind))])
    for at in places:
        whole = _with(kind, good, at)
        for value in VALUES:
            yield _judged(kind, _set(whole, at, value), at)
        if at and isinstance(at[-1], str):
            yield _judged(kind, _set(whole, at, None, remove=True), at)
    for at in places:
        if isinstance(_get(good, at), dict):
            yield _judged(kind, _set(good, (*at, "nonsense"), 1), (*at, "nonsense"))


def _judged(kind: Any, body: Any, at: Path) -> Spoiled:
    words = ["body", *(word for word in at if isinstance(word, str))]
    sure = False
    try:
        msgspec.convert(json.loads(json.dumps(body)), kind)
    except msgspec.ValidationError:
        sure = True
    if not at and isinstance(body, dict):
        words += body
    elif sure and not _is_free(_kind_at(inspect.type_info(kind), at[:-1])):
        words = words[-1:]
    # Otherwise it may be something that the field is in that makes no sense.
    return Spoiled(body, at, sure, frozenset(words))


def _is_free(kind: Any) -> bool:
    """Whether a type is that of objects with any keys."""
    return isinstance(kind, inspect.DictType | inspect.AnyType)


def _in(value: Any, at: Path = ()) -> Iterator[Path]:
    """Return all places in a body."""
    yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _in(inner, (*at, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _in(inner, (*at, index))


def _of(kind: Any, at: Path = ()) -> Iterator[Path]:
    """Return all places that a type has, the first one of every list."""
    if isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _of(one, at)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield (*at, field.encode_name)
            yield from _of(field.type, (*at, field.encode_name))
    elif isinstance(kind, inspect.ListType):
        yield (*at, 0)
        yield from _of(kind.item_type, (*at, 0))


def _with(kind: Any, good: Any, at: Path) -> Any:
    """Return a body that has everything above a place."""
    whole = deepcopy(good)
    for length in range(1, len(at)):
        if _get(whole, at[:length]) is _NOTHING:
            found = _kind_at(inspect.type_info(kind), at[:length])
            whole = _set(whole, at[:length], _sample(found))
    return whole


_NOTHING: Any = object()


def _get(value: Any, at: Path) -> Any:
    for word in at:
        try:
            value = value[word]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return value


def _set(whole: Any, at: Path, value: Any, remove: bool = False) -> Any:
    """Return a body with something else in a place."""
    if not at:
        return value
    changed = deepcopy(whole)
    inside = _get(changed, at[:-1])
    if remove:
        inside.pop(at[-1], None)
    elif isinstance(inside, list):
        inside[at[-1] : at[-1] + 1] = [value]  # type: ignore[operator,misc]
    else:
        inside[at[-1]] = value
    return changed


_WITH_PLACES = (inspect.StructType, inspect.ListType, inspect.DictType)


def _kind_at(kind: Any, at: Path) -> Any:
    """Return the type of a place."""
    for one in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
        if not at:
            if isinstance(one, _WITH_PLACES):
                return one
        elif isinstance(one, inspect.StructType):
            for field in one.fields:
                if field.encode_name == at[0]:
                    return _kind_at(field.type, at[1:])
        elif isinstance(one, inspect.ListType):
            return _kind_at(one.item_type, at[1:])
    return kind


def _sample(kind: Any) -> Any:
    """Return something small of a type that has places in it."""
    if isinstance(kind, inspect.StructType):
        return {
            field.encode_name: _sample(field.type)
            for field in kind.fields
            if field.required
        }
    if isinstance(kind, inspect.ListType):
        return []
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    return 1 if isinstance(kind, inspect.IntType) else "x"
