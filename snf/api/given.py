"""What a client gives with a request: its query and its JSON, checked."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

import msgspec
import orjson
from twisted.web.iweb import IRequest

from snf.api.allowed import allowed
from snf.api.dialect import header
from snf.core import errors

_FIELDS_AT_MOST = 1000


def arguments(request: IRequest) -> Mapping[str, list[str]]:
    """
    Return what a request's query says, by name.

    :raises BadRequest: It is not UTF-8, holds a NUL, or has too many fields.
    """
    # Twisted leaves out names without a value, such as ?nocatalog.
    query = request.uri.partition(b"?")[2]
    try:
        said = parse_qs(
            query.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_AT_MOST,
        )
    except UnicodeDecodeError:
        raise errors.BadRequest("The query is not UTF-8") from None
    except ValueError:
        raise errors.BadRequest(
            f"The query may have {_FIELDS_AT_MOST} fields at most"
        ) from None
    if any("\0" in value for values in said.values() for value in values):
        raise errors.BadRequest("The query has a NUL in it")
    return said


# What JSON is sent as, where nothing else is said.
JSON = "application/json"


def body(request: IRequest, kind: Any, content_type: str = JSON) -> Any:
    """
    Return what a request's JSON holds, as an instance of a msgspec type.

    :param content_type: What it has to be sent as.

    :raises BadRequest: It is not JSON, or not of that type; names the field.
    :raises TooLarge: It was, so that it has been thrown away.
    """
    refusal: errors.TooLarge | None = getattr(request, "too_large", None)
    if refusal is not None:
        raise refusal
    given = header(request, "Content-Type") or content_type
    if given.split(";")[0].strip().lower() != content_type:
        raise errors.BadRequest(f"Content-Type: must be {content_type}")
    try:
        plain = orjson.loads(request.content.read())
    except orjson.JSONDecodeError:
        raise errors.BadRequest(
            "Malformed request body: it must be JSON in UTF-8"
        ) from None
    return converted(plain, kind)


def converted(plain: Any, kind: type) -> Any:
    """
    Return what plain JSON holds, as an instance of a msgspec type.

    :raises BadRequest: It is not of that type; names the field.
    """
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as failure:
        raise errors.BadRequest(_named(str(failure), plain, kind)) from None


def _named(failure: str, plain: Any, kind: Any) -> str:
    """Return msgspec's sentence with the field in front: ``server.name: ...``."""
    problem, place = _parted(failure)
    if "matching regex" in problem:
        problem = "Expected text that is not blank and has no control characters"
    if problem.startswith(_NOT_AMONG):
        values = allowed(kind, place)
        problem = f"must be {values}" if values else problem
    inside, free, below = place.partition(_SOME_KEY)
    if free:
        place = f"{inside}.{_culprit(inside, plain, kind)}{below}".removeprefix(".")
    if not place or place.startswith("["):
        place = f"body{place}"
    return f"{place}: {problem}"


# How msgspec begins where a value is none of those that there are.
_NOT_AMONG = "Invalid enum value"

# How msgspec names values, and after _parted keys, of an object with any keys.
_SOME_KEY = "[...]"

_KEYS_AT_MOST = 1000


def _parted(failure: str) -> tuple[str, str]:
    """Return what msgspec does not like, and where: ``server.metadata[...]``."""
    problem, _, place = failure.partition(" - at ")
    key, of_a_key, inside = place.strip("`").partition("key` in `")
    place = f"{inside}{_SOME_KEY}" if of_a_key else key
    return problem.replace("`", ""), place.removeprefix("$").removeprefix(".")


def _culprit(inside: str, plain: Any, kind: Any) -> str:
    """Return the key in an object that msgspec has not named, by trying them alone."""
    if "[" in inside:
        return "*"  # in a list
    place = inside.split(".") if inside else []
    for key, value in islice(_at(plain, place).items(), _KEYS_AT_MOST):
        try:
            msgspec.convert(_replaced(plain, place, {key: value}), kind)
        except msgspec.ValidationError as failure:
            if _parted(str(failure))[1].startswith(inside + _SOME_KEY):
                return key
    return "*"


def _at(plain: Any, place: Sequence[str]) -> Any:
    for name in place:
        plain = plain[name]
    return plain


def _replaced(plain: Any, place: Sequence[str], value: Any) -> Any:
    if not place:
        return value
    return {**plain, place[0]: _replaced(plain[place[0]], place[1:], value)}
