"""Shapes: which fields of which JSON types an answer has, without what is in them.

``tests/golden/answers`` has the shapes of answers that a real OpenStack 2025.1 (Nova,
Neutron, Glance and Keystone, with one server, network and image) has given, a file an
answer.  ``python -m tests.golden.shapes FILE.json...`` makes them from recordings, each
of which is a JSON object::

    {"request": {"method", "url", "headers", "body"}, "status", "headers", "body"}
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import asdict, field, frozen

ANSWERS = Path(__file__).parent / "answers"

# The objects whose keys are data: in their place stands an asterisk.
_MAPS = frozenset({"addresses", "extra_specs", "metadata", "scheduler_hints"})
_MAP_PATHS = frozenset({"server/image/properties", "servers[]/image/properties"})

# How texts that clients parse look; times are the ones in which services differ.
_TEXTS = {
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "time.us": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    "time.us Z": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "url": r"https?://.*",
}

# The headers that clients read; of some not just that they are there but the value.
_HEADERS = (
    "Location",
    "OpenStack-API-Version",
    "WWW-Authenticate",
    "X-OpenStack-Nova-API-Version",
    "X-Subject-Token",
    "x-compute-request-id",
    "x-openstack-request-id",
)
_HEADERS_WITH_VALUE = ("Content-Type", "Vary")

# Where the recorded services were, by their ports.
_SERVICES = {25000: "identity", 28774: "compute", 29292: "image", 29696: "network"}

_SERVER = re.compile(r"(?<=/servers/)(?!1{8})[0-9a-f-]{36}|(?<=device_id=)[0-9a-f-]+")
_IMAGE = re.compile(r"(?<=/images/)[0-9a-f-]{36}")
_PROJECT = re.compile(r"(?<=/os-quota-sets/)[0-9a-f]{32}")


@frozen
class Shape:
    """What an answer is like.

    :ivar method: Of the request.
    :ivar path: Of the request, in which ``{server}``, ``{image}`` and ``{project}``
        stand for ids.
    :ivar version: The microversion that was asked for, if one was.
    :ivar headers: The names of those that clients read, or ``name: value``.
    :ivar fields: The types (joined by ``|``) by the path: ``servers[]/name``.
    """

    method: str
    path: str
    version: str | None
    status: int
    headers: list[str]
    fields: dict[str, str] = field(factory=dict)


def of_body(body: Any) -> dict[str, str]:
    """Return the types of everything in some JSON, by the path."""
    found: dict[str, set[str]] = {}
    for path, kind in _walk("", body):
        found.setdefault(path, set()).add(kind)
    return {path: "|".join(sorted(kinds)) for path, kinds in sorted(found.items())}


def unlike(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """
    Return in what our fields are unlike theirs, by the path.

    Of what is not there at all only the topmost is told.  What was null in theirs is
    not known any better, so that ours may be of any type.
    """
    found = {}
    for path, kind in theirs.items():
        if path in ours:
            known, given = set(kind.split("|")), set(ours[path].split("|"))
            if not given <= known and known != {"null"}:
                found[path] = f"{ours[path]} instead of {kind}"
        elif _above(path, ours):
            found[path] = f"lacks {kind}"
    for path, kind in ours.items():
        if path not in theirs and _above(path, theirs):
            found[path] = f"adds {kind}"
    return found


def _above(path: str, fields: Mapping[str, str]) -> bool:
    """Whether there is what a path is in."""
    above = path.removesuffix("[]") if path.endswith("[]") else path.rpartition("/")[0]
    return above in fields or not above


def of_headers(headers: Mapping[str, str], bodiless: bool) -> list[str]:
    """
    Return what clients read of the headers.

    :param bodiless: Whether there is no body, so that its type says nothing.
    """
    given = {name.lower(): value for name, value in headers.items()}
    found = [name for name in _HEADERS if name.lower() in given]
    for name in _HEADERS_WITH_VALUE:
        if name.lower() in given and not (bodiless and name == "Content-Type"):
            found.append(f"{name}: {given[name.lower()].partition(';')[0]}")
    return found


def of_recording(recording: Mapping[str, Any]) -> Shape:
    """Return the shape of a recorded answer."""
    request, body = recording["request"], recording["body"] or {}
    return Shape(
        method=request["method"],
        path=_path(request["url"]),
        version=_version(request["headers"]),
        status=recording["status"],
        headers=of_headers(recording["headers"], bodiless=not body),
        fields=of_body(body),
    )


def kept() -> dict[str, Shape]:
    """Return all shapes that are kept, by their names."""
    files = sorted(ANSWERS.glob("*.json"))
    return {file.stem: Shape(**json.loads(file.read_text("utf-8"))) for file in files}


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if path:
        yield path, _kind(value)
    if isinstance(value, list):
        for item in value:
            yield from _walk(f"{path}[]", item)
    if isinstance(value, dict):
        free = path.rpartition("/")[2] in _MAPS or path in _MAP_PATHS
        for name, item in value.items():
            below = "*" if free else name
            yield from _walk(f"{path}/{below}" if path else below, item)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        looks = (name for name, like in _TEXTS.items() if re.fullmatch(like, value))
        return next(looks, "text")
    return _KINDS[type(value)]


_KINDS: dict[type, str] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    type(None): "null",
}


def _path(url: str) -> str:
    parts = urlsplit(url)
    path = f"/{_SERVICES[parts.port or 0]}{parts.path}".rstrip("/")
    path += f"?{parts.query}" if parts.query else ""
    for name, pattern in (
        ("{server}", _SERVER),
        ("{image}", _IMAGE),
        ("{project}", _PROJECT),
    ):
        path = pattern.sub(name, path)
    return path


def _version(headers: Mapping[str, str]) -> str | None:
    return headers.get("OpenStack-API-Version", "").removeprefix("compute ") or None


def _keep(files: Iterable[str]) -> None:
    ANSWERS.mkdir(exist_ok=True)
    for file in map(Path, files):
        shape = of_recording(json.loads(file.read_text("utf-8")))
        text = json.dumps(asdict(shape), indent=1)
        (ANSWERS / file.name).write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    _keep(sys.argv[1:])
