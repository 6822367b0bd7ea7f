"""Who may call which route about whose things: all routes, everybody, everything."""

from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import frozen

from snf.api.policy import Reach, Rule
from snf.core.identity import Role, User, includes
from snf.core.passwords import token_digest
from snf.testing.world import ADMIN, ALICE, BOB, PASSWORD, READER
from tests.api.belongings import SituationTestCase
from tests.api.case import NOW, TOKENS, Reply
from tests.api.routes import Served, served
from tests.api.situations import (
    ASKED,
    THINGS,
    Thing,
    Unsaid,
    asked,
    things,
    version,
)


@frozen
class Caller:
    """Somebody with a token, or without.

    :ivar role: What it gives in its project; None for a token that is for none.
    :ivar valid: Whether there is one that is good.
    """

    name: str
    user: User = ALICE
    role: Role | None = None
    valid: bool = True


CALLERS = (
    Caller("nobody", valid=False),
    Caller("expired", valid=False),
    Caller("revoked", valid=False),
    Caller("unscoped"),
    Caller("reader", READER, Role.READER),
    Caller("member", ALICE, Role.MEMBER),
    Caller("admin", ADMIN, Role.ADMIN),
)


@frozen
class Case:
    """A caller who asks a route about something.

    :ivar others: Whether it is somebody else's.
    :ivar without: The name in the URL for which there is nothing; None if all is there.
    """

    one: Served
    caller: Caller
    others: bool = False
    without: str | None = None

    def __str__(self) -> str:
        what = "others'" if self.others else "own"
        if self.without:
            what = f"no {self.without}"
        return f"{self.one.method} {self.one.path}, {self.caller.name}, {what}"


def expected(case: Case) -> int:
    """Return the status that follows from the route's rule."""
    rule, caller = case.one.rule, case.caller
    if rule.role is not None:
        if not caller.valid:
            return 401
        if not _may_call(rule, caller):
            return 403
    if not (case.others or case.without):
        return asked(case.one).code or case.one.code
    about = things(case.one)
    if _refused(rule, caller, case, about):
        return 403
    if case.without:
        return about[case.without].missing_code
    if rule.reach in (Reach.OWN, Reach.MINE, Reach.SELF) or (
        rule.reach is Reach.WIDE and not _is_admin(caller)
    ):
        return 404
    return asked(case.one).code or case.one.code


def _may_call(rule: Rule, caller: Caller) -> bool:
    if caller.role is None:
        return not rule.scoped
    return rule.role is not None and includes([caller.role], rule.role)


def _is_admin(caller: Caller) -> bool:
    return caller.role is Role.ADMIN


def _refused(rule: Rule, caller: Caller, case: Case, about: dict[str, Thing]) -> bool:
    """Whether a caller is told that something is not his, rather than not there."""
    named = {Reach.SELF: "user", Reach.USER: "user", Reach.MEMBER: "project"}
    if rule.reach in named:
        who = named[rule.reach]
        someone_else = who in about and (case.others or case.without == who)
        return someone_else and (rule.reach is Reach.SELF or not _is_admin(caller))
    told = [name for name, thing in about.items() if not thing.hidden]
    return (
        bool(told) and not _is_admin(caller) and (case.others or case.without in told)
    )


class TableTests(SituationTestCase):
    """``THINGS`` and ``ASKED``."""

    def test_complete(self) -> None:
        """They have all that the routes need: a new route needs its lines there."""
        lacking = []
        for one in served():
            try:
                things(one)
            except Unsaid as lack:
                lacking.append(str(lack))
        self.assertEqual([], lacking)

    def test_nothing_else(self) -> None:
        """They have nothing for routes that there are not (any more)."""
        keys = {f"{one.method} {one.everywhere}" for one in served()}
        self.assertEqual(set(), set(ASKED) - keys)
        paths = tuple(one.everywhere for one in served())
        idle = [
            place
            for place in THINGS
            if not any(f"{path}/".startswith(f"{place}/") for path in paths)
        ]
        self.assertEqual([], idle)


class AccessTests(SituationTestCase):
    """The matrix: every route, every caller, own things, others' and none."""

    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        self.headers = {
            "nobody": {},
            "expired": self._expired(),
            "revoked": self._revoked(),
            "unscoped": self.unscoped(ALICE),
        }
        for caller in CALLERS:
            if caller.role is not None:
                self.headers[caller.name] = {"X-Auth-Token": self.token(caller.user)}

    def _expired(self) -> dict[str, str]:
        token = self.log_in(ALICE.name, PASSWORD).header("X-Subject-Token") or ""
        self.sql(
            "UPDATE token SET expires = %s WHERE digest = %s",
            datetime.fromtimestamp(NOW, UTC),
            token_digest(token),
        )
        return {"X-Auth-Token": token}

    def _revoked(self) -> dict[str, str]:
        token = self.log_in(ALICE.name, PASSWORD).header("X-Subject-Token") or ""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        self.assertEqual(204, self.call("DELETE", TOKENS, headers=headers).code)
        return {"X-Auth-Token": token}

    def cases(self, one: Served) -> Iterator[Case]:
        """Return all that there is to be asked of a route."""
        about = things(one)
        for caller in CALLERS:
            yield Case(one, caller)
            if any(thing.kind for thing in about.values()):
                yield Case(one, caller, others=True)
            for name in about:
                if name not in asked(one).makes:
                    yield Case(one, caller, without=name)

    def answer(self, case: Case) -> Reply:
        """Return the answer to what is then undone."""
        whose = BOB if case.others else case.caller.user
        sent = dict(self.headers[case.caller.name])
        sent["Content-Type"] = case.one.route.content_type
        if asked(case.one).subject:
            sent["X-Subject-Token"] = sent.get("X-Auth-Token", "")
        with self.database.rehearsal():
            return self.call(
                case.one.method,
                self.path(case.one, self.owned[whose.name], case.without),
                asked(case.one).body,
                headers=sent,
                version=version(case.one),
            )

    def check(self, service: str) -> None:
        """Every case of a service is answered as its rule says, and no more is told."""
        bobs = [text.encode() for text in self.owned[BOB.name].values()]
        secrets = [text for text in bobs if len(text) > len("cluster 1")]
        wrong = []
        for one in served():
            if one.path.split("/")[1] != service:
                continue
            for case in self.cases(one):
                reply = self.answer(case)
                if reply.code != expected(case):
                    wrong.append(f"{case}: {reply.code}, not {expected(case)}")
                told = any(text in reply.text for text in secrets)
                if told and not (case.others or _is_admin(case.caller)):
                    wrong.append(f"{case}: tells of others' things")
        self.assertEqual([], wrong)

    def test_identity(self) -> None:
        """The identity API."""
        self.check("identity")

    def test_compute(self) -> None:
        """The compute API, in each of its versions."""
        self.check("compute")

    def test_image(self) -> None:
        """The image API."""
        self.check("image")

    def test_network(self) -> None:
        """The network API."""
        self.check("network")
