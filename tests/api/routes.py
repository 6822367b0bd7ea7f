"""All routes of the site, and the tables of ``docs/api.md`` that are made from them.

``python -m tests.api.routes`` writes the tables anew.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.task import Clock
from twisted.web.resource import IResource

from snf.api.compute.build import Builder
from snf.api.compute.consoles import Consoles
from snf.api.compute.versions import STEPS
from snf.api.console.doors import Doors
from snf.api.console.place import ConsolePlace
from snf.api.dialect import written
from snf.api.json import Route
from snf.api.policy import Reach, Rule
from snf.api.site import Branch, Noun, Nouns
from snf.api.tree import Parts, site
from snf.config import Api, Identity
from snf.core.server import ALLOWED, Action, Status

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

SERVICES = ("identity", "compute", "image", "network", "console", "userdata", "node")


@frozen(order=True)
class Served:
    """One method of one URL."""

    path: str
    method: str
    role: str
    code: int
    does: str
    route: Route = field(order=False, repr=False)
    rule: Rule = field(order=False)

    @property
    def reach(self) -> str:
        """Whose things are meant, as the manual says it."""
        return self.rule.reach.value

    @property
    def everywhere(self) -> str:
        """The path, in which one word stands for all of compute's versions."""
        return re.sub(
            "^/compute/(v1.1|v2|v2.1)(?=/|$)", "/compute/{version}", self.path
        )


def served() -> list[Served]:
    """Return everything that the site serves."""
    nothing: Any = None
    parts = Parts(
        Clock(),
        nothing,
        Api(),
        Identity(),
        "snf",
        nothing,
        nothing,
        nothing,
        Builder(),
        Consoles(nothing),
        doors=Doors(nothing, nothing, nothing, Path()),
    )
    return sorted(_below("", site(parts).resource))


def _below(path: str, place: IResource) -> Iterable[Served]:
    if isinstance(place, Noun):
        yield from _of(path, place.noun)
    if isinstance(place, Nouns):
        for noun in place.nouns:
            yield from _of(path, noun)
    if isinstance(place, ConsolePlace):
        yield from _below(f"{path}/sessions", place.sessions)
    if isinstance(place, Branch):
        if place.here is not None:
            yield from _below(path, place.here)
        for name, child in place.children.items():
            yield from _below(f"{path}/{name.decode()}", child)


def _of(path: str, noun: Any) -> Iterable[Served]:
    for function in vars(type(noun)).values():
        route: Route | None = getattr(function, "route", None)
        if isinstance(route, Route):
            yield Served(
                path=re.sub(r"<(\w+)>", r"{\1}", path + route.url.rstrip("/")) or "/",
                method=route.method,
                role=route.rule.who,
                route=route,
                rule=evolve(route.rule, reach=_reach(noun, route)),
                code=getattr(noun, "code", route.code),
                does=(function.__doc__ or "").strip().splitlines()[0].rstrip("."),
            )


def _reach(noun: Any, route: Route) -> Reach:
    """Return whose things a route may mean; a noun says it for those that do not."""
    reach = route.rule.reach
    return getattr(noun, "reach", reach) if reach is Reach.OWN else reach


def table(service: str) -> str:
    """Return the table of a service's routes; its versions of one URL are one row."""
    rows: dict[tuple[str, str], Served] = {}
    differing = _differing()
    for one in served():
        if service == "cloud":
            wanted = one.path == "/"
        else:
            wanted = one.path.split("/")[1] == service
        if wanted:
            key = (one.everywhere, one.method)
            path = one.path if key in differing else one.everywhere
            rows.setdefault((path, one.method), one)
    lines = ["| URL | method | role | whose | status | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{path}` | {method} | {one.role} | {one.reach} | {one.code} | {one.does} |"
        for (path, method), one in rows.items()
    ]
    return "\n".join(lines)


def _differing() -> set[tuple[str, str]]:
    """Return the URLs and methods that are not the same in all versions."""
    known: dict[tuple[str, str], tuple[str, str]] = {}
    differing = set()
    for one in served():
        key, said = (one.everywhere, one.method), (one.role, one.does)
        if known.setdefault(key, said) != said:
            differing.add(key)
    return differing


def actions() -> str:
    """Return the table of what may be asked of a server in which status."""
    shown = [status for status in Status if status is not Status.DELETED]
    lines = [
        "| | " + " | ".join(status.value for status in shown) + " |",
        "|---|" + "---|" * len(shown),
    ]
    for action in Action:
        marks = ["yes" if status in ALLOWED[action] else "409" for status in shown]
        lines.append(f"| {action.value} | " + " | ".join(marks) + " |")
    return "\n".join(lines)


def changes() -> str:
    """Return the table of what each microversion changes, those that change something."""
    lines = ["| microversion | changes |", "|---|---|"]
    lines += [
        f"| {written(version)} | {says} |"
        for version, says in STEPS.items()
        if not says.startswith("nothing")
    ]
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    tables = {name: table(name) for name in ("cloud", *SERVICES)}
    tables["actions"] = actions()
    tables["versions"] = changes()
    for name, made in tables.items():
        text, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, made=made: f"{found[1]}{made}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"{PAGE} has no place for the table {name}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
