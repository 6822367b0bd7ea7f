"""A Keystone in memory, of which only logging in and checking tokens is there."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import orjson
from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from snf.keystone.account import Account

URL = "http://keystone.test/identity"


class Mood(Enum):
    """How it is today."""

    FINE = "answers"
    SILENT = "takes requests and never answers"
    BROKEN = "answers 500"
    HTML = "there is a page of a proxy's in its place"
    LOST = "the page says 404"
    ELSEWHERE = "redirects"
    ENDLESS = "answers with more than anybody wants"
    NONSENSE = "answers with JSON of another shape"


@frozen
class Person:
    """Somebody who has a role in one project, all in the domain ``Default``."""

    name: str
    password: str = field(default="secret", repr=False)
    project: str = "alpha"
    roles: tuple[str, ...] = ("member", "reader")
    # Not every id is a UUID; None is one that is.
    id: str | None = None

    @property
    def user_id(self) -> str:
        """The id that Keystone gives."""
        return self.id or identity(self.name)


@frozen
class Issued:
    """A token, and what it is for."""

    person: Person
    scoped: bool
    issued: datetime
    expires: datetime


@define(eq=False)
class FakeKeystone:
    """
    A Keystone whose clock may go wrong.

    :ivar ahead_s: By how much its clock is ahead of ours.
    :ivar asked: The requests so far, as ``GET /v3/auth/tokens``.
    :ivar disabled: Names of projects that are.
    :ivar forgetful: Whether it knows none of its own tokens.
    """

    clock: IReactorTime
    mood: Mood = Mood.FINE
    lifetime_s: float = 3600.0
    ahead_s: float = 0.0
    people: dict[str, Person] = field(factory=dict)
    tokens: dict[str, Issued] = field(factory=dict)
    disabled: set[str] = field(factory=set)
    forgetful: bool = False
    asked: list[str] = field(factory=list)
    held: list[Request] = field(factory=list)
    _numbers: "count[int]" = field(init=False, factory=lambda: count(1))

    def __attrs_post_init__(self) -> None:
        self.add(Person("cyclades", "service secret", "service", ("service",)))
        self.add(Person("alice"))

    @property
    def account(self) -> Account:
        """Who checks tokens here."""
        return Account(url=URL, user="cyclades", password="service secret")

    def add(self, person: Person) -> None:
        """Have somebody; one of the same name is replaced."""
        self.people[person.name] = person

    def resource(self) -> IResource:
        """Return what answers, from the root of its URLs."""
        return _Place(self)

    @property
    def now(self) -> datetime:
        """The time by its own clock."""
        return datetime.fromtimestamp(self.clock.seconds() + self.ahead_s, UTC)

    def log_in(self, name: str, scoped: bool = True) -> str:
        """Return a new token."""
        token = f"gAAAA-{next(self._numbers)}"
        self.tokens[token] = Issued(
            self.people[name],
            scoped,
            self.now,
            self.now + timedelta(seconds=self.lifetime_s),
        )
        return token

    def valid(self, token: str | None) -> Issued | None:
        """Return what a token stands for; None when it is not valid."""
        found = self.tokens.get(token or "")
        if found is None or self.forgetful or found.expires <= self.now:
            return None
        # What somebody may do is looked up each time.
        person = self.people[found.person.name]
        if found.scoped and person.project in self.disabled:
            return None
        return evolve(found, person=person)

    def shown(self, issued: Issued) -> dict[str, Any]:
        """Return a token as Keystone shows it."""
        person = issued.person
        domain = {"id": "default", "name": "Default"}
        token: dict[str, Any] = {
            "methods": ["password"],
            "user": {
                "id": person.user_id,
                "name": person.name,
                "domain": domain,
                "password_expires_at": None,
            },
            "audit_ids": ["audit"],
            "issued_at": _moment(issued.issued),
            "expires_at": _moment(issued.expires),
        }
        if issued.scoped:
            project = person.project
            token["project"] = {
                "id": identity(project),
                "name": project,
                "domain": domain,
            }
            token["is_domain"] = False
            token["roles"] = [
                {"id": identity(name), "name": name} for name in person.roles
            ]
        return {"token": token}


def identity(name: str) -> str:
    """Return the id of a thing of a name, as Keystone writes them."""
    return uuid5(NAMESPACE_DNS, name).hex


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Place(Resource):
    """Every URL of the fake."""

    isLeaf = True

    def __init__(self, keystone: FakeKeystone) -> None:
        super().__init__()
        self.keystone = keystone

    def render(self, request: Request) -> Any:
        keystone = self.keystone
        method, path = request.method.decode(), request.path.decode()
        keystone.asked.append(f"{method} {path.removeprefix('/identity')}")
        request.setHeader(
            "Date", datetimeToString(int(keystone.now.timestamp())).decode()
        )
        match keystone.mood:
            case Mood.SILENT:
                keystone.held.append(request)
                return NOT_DONE_YET
            case Mood.FINE:
                pass
            case mood:
                return _moody(request, mood)
        if path != "/identity/v3/auth/tokens":
            return _fault(request, 404, "The resource could not be found.")
        return self._issue(request) if method == "POST" else self._show(request)

    def _issue(self, request: Request) -> bytes:
        assert request.content is not None
        auth = orjson.loads(request.content.read())["auth"]
        user = auth["identity"]["password"]["user"]
        person = self.keystone.people.get(user["name"])
        if (
            person is None
            or (user["domain"], user["password"])
            != ({"name": "Default"}, person.password)
            or auth["scope"]["project"]["name"] != person.project
        ):
            return _fault(request, 401, "The request you have made requires ...")
        token = self.keystone.log_in(person.name)
        request.setHeader("X-Subject-Token", token)
        shown = self.keystone.shown(self.keystone.tokens[token])
        return _written(request, 201, shown)

    def _show(self, request: Request) -> bytes:
        if self.keystone.valid(request.getHeader("X-Auth-Token")) is None:
            return _fault(request, 401, "The request you have made requires ...")
        subject = request.getHeader("X-Subject-Token")
        issued = self.keystone.valid(subject)
        if issued is None or subject is None:
            return _fault(request, 404, "Could not find token.")
        request.setHeader("X-Subject-Token", subject)
        return _written(request, 200, self.keystone.shown(issued))


def _moody(request: Request, mood: Mood) -> bytes:
    request.setHeader("Content-Type", "text/html")
    if mood is Mood.ELSEWHERE:
        request.setHeader("Location", "http://elsewhere.test/")
    codes = {Mood.BROKEN: 500, Mood.LOST: 404, Mood.ELSEWHERE: 302}
    request.setResponseCode(codes.get(mood, 200))
    if mood is Mood.NONSENSE:
        return b'{"token": {"expires_at": 7, "user": []}}'
    return b"<html>" * (1_000_000 if mood is Mood.ENDLESS else 1)


def _fault(request: Request, code: int, message: str) -> bytes:
    return _written(request, code, {"error": {"code": code, "message": message}})


def _written(request: Request, code: int, body: Any) -> bytes:
    request.setResponseCode(code)
    request.setHeader("Content-Type", "application/json")
    return orjson.dumps(body)
