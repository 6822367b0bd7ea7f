"""What a field of a body may be, where that is one of a few values."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import inspect

# A list's element, or the value of an object with any keys: ``[0]``, ``[...]``.
_STEP = re.compile(r"\[[^\]]*\]|[^.\[]+")


@lru_cache(256)
def allowed(kind: type, place: str) -> str:
    """
    Return the values that a place in a body may have, as JSON: ``"a", "b" or null``.

    :param kind: The body's msgspec type.
    :param place: As msgspec names it, without ``$``: ``server.networks[0].tag``.
    :returns: Nothing where not only certain values are allowed.
    """
    found = [inspect.type_info(kind)]
    for step in _STEP.findall(place):
        found = [inner for one in found for inner in _inside(one, step)]
    values: list[Any] = []
    for one in _alternatives(found):
        if isinstance(one, inspect.LiteralType):
            values += one.values
        elif isinstance(one, inspect.EnumType):
            values += [member.value for member in one.cls]
        elif isinstance(one, inspect.NoneType):
            values.append(None)
    # Not a set, in which False is 0.
    words = list(dict.fromkeys(json.dumps(value) for value in values))
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _alternatives(types: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    """Yield types without what is around them."""
    for one in types:
        if isinstance(one, inspect.Metadata):
            yield from _alternatives([one.type])
        elif isinstance(one, inspect.UnionType):
            yield from _alternatives(one.types)
        else:
            yield one


def _inside(outer: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """Yield what a step into a type may lead to."""
    for one in _alternatives([outer]):
        if isinstance(one, inspect.StructType):
            yield from (field.type for field in one.fields if field.encode_name == step)
        elif isinstance(one, inspect.ListType):
            yield one.item_type
        elif isinstance(one, inspect.DictType):
            yield one.value_type
