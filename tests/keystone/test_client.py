"""What the client makes of a Keystone's bad days."""

from typing import Any
from uuid import UUID

import orjson
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import Unavailable
from snf.core.identity import Grant, Role
from snf.keystone import token as parsing
from snf.keystone.client import Client, over
from snf.keystone.tokens import Tokens
from snf.testing.keystone import FakeKeystone, Mood, Person, identity

NOW = 1_800_000_000.0
CHECK, LOG_IN = "GET /v3/auth/tokens", "POST /v3/auth/tokens"


class KeystoneTestCase(SynchronousTestCase):
    """A test with a fake Keystone, and its answers remembered for up to a minute."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.fake = FakeKeystone(self.clock)
        self.http = StubTreq(self.fake.resource())
        self.client = self.new_client()
        self.adopted: list[Grant] = []
        self.tokens = Tokens(self.clock, self.client.validate, self._adopt, 60.0)

    def new_client(self, **changes: Any) -> Client:
        """Return a client, its account changed somehow."""
        account = evolve(self.fake.account, **changes)
        return over(self.http, account, self.clock, timeout_s=10.0)

    async def _adopt(self, grant: Grant) -> None:
        self.adopted.append(grant)

    def ask(self, token: str) -> "Deferred[Grant | None]":
        """Begin to ask what a token stands for."""
        return Deferred.fromCoroutine(self.tokens.grant(token))

    def grant(self, token: str) -> Grant | None:
        """Return what a token stands for."""
        return self.successResultOf(self.ask(token))

    def away(self, token: str = "x") -> str:
        """Return what is said to whom nothing can be said."""
        return str(self.failureResultOf(self.ask(token), Unavailable).value)

    def answer(self, token: str) -> None:
        """Have Keystone answer at last what it was asked about a token."""
        [request] = self.fake.held
        request.write(orjson.dumps(self.fake.shown(self.fake.tokens[token])))
        request.finish()
        self.http.flush()

    def checks(self) -> int:
        """Return how many tokens Keystone has been asked about."""
        return self.fake.asked.count(CHECK)


class MemoryTests(KeystoneTestCase):
    """How long Keystone's word is good."""

    def test_once(self) -> None:
        """Within a minute Keystone is asked about a token once, and adopted once."""
        token = self.fake.log_in("alice")
        first = self.grant(token)
        self.clock.advance(59.9)
        self.assertIs(first, self.grant(token))
        self.assertEqual((1, 1), (self.checks(), len(self.adopted)))

    def test_revoked(self) -> None:
        """A token that was revoked works for no more than a minute."""
        token = self.fake.log_in("alice")
        self.grant(token)
        del self.fake.tokens[token]
        self.clock.advance(60)
        self.assertIsNone(self.grant(token))

    def test_minute_begins_with_the_question(self) -> None:
        """An answer that took long is old when it comes."""
        token = self.fake.log_in("alice")
        self.grant(self.fake.log_in("alice"))
        self.fake.mood = Mood.SILENT
        asked = self.ask(token)
        self.assertNoResult(asked)
        self.clock.advance(9)
        self.fake.mood = Mood.FINE
        self.answer(token)
        self.successResultOf(asked)
        del self.fake.tokens[token]
        self.clock.advance(51)
        self.assertIsNone(self.grant(token))

    def test_expires(self) -> None:
        """A token that ends sooner is not remembered beyond its end."""
        self.fake.lifetime_s = 20
        token = self.fake.log_in("alice")
        self.assertIsNotNone(self.grant(token))
        self.clock.advance(20)
        self.assertIsNone(self.grant(token))

    def test_clocks_differ(self) -> None:
        """Neither a clock ahead nor one behind makes a good token bad, or lasts longer."""
        for ahead in (-86_400.0, -90.0, 90.0, 86_400.0):
            self.setUp()
            self.fake.ahead_s, self.fake.lifetime_s = ahead, 30
            token = self.fake.log_in("alice")
            self.assertIsNotNone(self.grant(token), ahead)
            self.clock.advance(29)
            self.assertIsNotNone(self.grant(token), ahead)
            self.assertEqual(1, self.checks(), ahead)
            self.clock.advance(2)
            self.assertIsNone(self.grant(token), ahead)

    def test_unknown(self) -> None:
        """What is no token is asked about once in a while only."""
        for _ in range(3):
            self.assertIsNone(self.grant("guess"))
        self.assertEqual(1, self.checks())
        self.clock.advance(10)
        self.assertIsNone(self.grant("guess"))
        self.assertEqual(2, self.checks())

    def test_never_asked(self) -> None:
        """What cannot be a token is not asked about, nor in a header."""
        for token in ("x" * 4097, "a\r\nX-Auth-Token: b", "snö", "\x7f"):
            self.assertIsNone(self.grant(token))
        self.assertEqual([], self.fake.asked)

    def test_many_bad_tokens(self) -> None:
        """Ten thousand tokens that are none push out none that is good."""
        token = self.fake.log_in("alice")
        self.grant(token)
        for number in range(10_050):
            self.tokens._bad.put(b"%d" % number, True, NOW + 10)
        self.assertEqual(10_000, len(self.tokens._bad))
        self.grant(token)
        self.assertEqual(1, self.checks())

    def test_hash(self) -> None:
        """No token is kept, nor shown."""
        token = self.fake.log_in("alice")
        self.grant(token)
        self.assertNotIn(token, repr(self.tokens))
        self.assertNotIn(str(self.client._own), repr(self.client))
        self.assertNotIn(self.fake.account.password, repr(self.client))


class BurstTests(KeystoneTestCase):
    """Many at the same time."""

    def test_one_request(self) -> None:
        """A burst with one token is one request; who hangs up takes nobody along."""
        token = self.fake.log_in("alice")
        self.grant(self.fake.log_in("alice"))
        self.fake.mood, before = Mood.SILENT, self.checks()
        asked = [self.ask(token) for _ in range(50)]
        self.assertEqual(before + 1, self.checks())
        asked[0].cancel()
        asked[0].addErrback(lambda failure: None)
        self.fake.mood = Mood.FINE
        self.answer(token)
        for one in asked[1:]:
            self.assertIsNotNone(self.successResultOf(one))

    def test_bounded(self) -> None:
        """Of ten thousand tokens few are asked about; all have their answer in time."""
        self.grant(self.fake.log_in("alice"))
        self.fake.mood, before = Mood.SILENT, self.checks()
        asked = [self.ask(f"guess {number}") for number in range(10_000)]
        self.assertEqual(before + 10, self.checks())
        ended = [one for one in asked if one.called]
        self.assertEqual(10_000 - 200, len(ended))
        self.clock.advance(10)
        for one in asked:
            self.failureResultOf(one, Unavailable)
        self.assertEqual(0, len(self.tokens._bad))
        self.flushLoggedErrors()


class AwayTests(KeystoneTestCase):
    """No answer, or none of Keystone's."""

    def test_moods(self) -> None:
        """Whatever stands in Keystone's place, no token is called invalid for it."""
        for mood in set(Mood) - {Mood.FINE, Mood.SILENT}:
            self.setUp()
            token = self.fake.log_in("alice")
            self.grant(self.fake.log_in("alice"))
            self.fake.mood = mood
            self.assertIn("identity service", self.away(token), mood)
            self.fake.mood = Mood.FINE
            self.assertIsNotNone(self.grant(token), mood)

    def test_silent(self) -> None:
        """Who says nothing is given up after the timeout."""
        self.fake.mood = Mood.SILENT
        asked = self.ask("x")
        self.clock.advance(9.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.failureResultOf(asked, Unavailable)

    def test_remembered_go_on(self) -> None:
        """While Keystone is away, what is remembered works to the end of its time."""
        token = self.fake.log_in("alice")
        self.grant(token)
        self.fake.mood = Mood.BROKEN
        self.clock.advance(59)
        self.assertIsNotNone(self.grant(token))
        self.clock.advance(1)
        self.away(token)

    def test_left_alone(self) -> None:
        """After three failures nobody asks for a while; then one does, for all."""
        self.fake.mood = Mood.BROKEN
        for number in range(3):
            self.away(f"x{number}")
        before = len(self.fake.asked)
        self.away("y")
        self.assertEqual(before, len(self.fake.asked))
        self.clock.advance(1)
        self.away("y")
        self.assertEqual(before + 1, len(self.fake.asked))
        self.fake.mood = Mood.FINE
        self.away("y")
        self.clock.advance(2)
        self.assertIsNotNone(self.grant(self.fake.log_in("alice")))
        self.assertIsNone(self.grant("y"))


class OwnTokenTests(KeystoneTestCase):
    """The token with which tokens are checked."""

    def test_shared(self) -> None:
        """One login is enough for many questions."""
        for _ in range(5):
            self.grant(self.fake.log_in("alice"))
        self.assertEqual(1, self.fake.asked.count(LOG_IN))

    def test_renewed(self) -> None:
        """It is renewed before its end, whatever Keystone's clock says."""
        self.fake.ahead_s = -7200
        self.grant(self.fake.log_in("alice"))
        self.clock.advance(3600 - 301)
        self.grant(self.fake.log_in("alice"))
        self.assertEqual(1, self.fake.asked.count(LOG_IN))
        self.clock.advance(1)
        self.grant(self.fake.log_in("alice"))
        self.assertEqual(2, self.fake.asked.count(LOG_IN))

    def test_refused_always(self) -> None:
        """If even a new one is refused, that is said of us, not of the client's token."""
        token = self.fake.log_in("alice")
        self.fake.forgetful = True
        self.away(token)
        self.assertEqual(2, self.checks())

    def test_wrong_password(self) -> None:
        """A wrong password is not tried again and again: that would lock the account."""
        self.tokens.validate = self.new_client(password="guess").validate
        for _ in range(20):
            self.away()
        self.assertEqual(3, len(self.fake.asked))


class GrantTests(KeystoneTestCase):
    """What a token's words are to us."""

    def test_roles(self) -> None:
        """Roles are ours by the names that the configuration gives them."""
        self.client.account = evolve(
            self.client.account, roles={"boss": Role.ADMIN, "member": Role.MEMBER}
        )
        for names, roles in (
            (("boss", "x"), {Role.ADMIN}),
            (("admin", "reader"), set()),
            (("member",), {Role.MEMBER}),
            ((), set()),
        ):
            self.fake.add(Person("alice", roles=names))
            grant = self.grant(self.fake.log_in("alice"))
            assert grant is not None
            self.assertEqual(roles, grant.roles)

    def test_ids(self) -> None:
        """An id that is a UUID is that; of another one is made, always the same."""
        self.assertEqual(UUID(identity("alpha")), parsing.identifier(identity("alpha")))
        long = "6f" * 32
        self.assertEqual(parsing.identifier(long), parsing.identifier(long))
        self.assertNotEqual(parsing.identifier(long), parsing.identifier(long[1:]))

    def test_system(self) -> None:
        """A token for the system or a domain is none for a project, role or not."""
        shown = self.fake.shown(self.fake.tokens[self.fake.log_in("alice")])
        del shown["token"]["project"]
        for scope in ({"system": {"all": True}}, {"domain": {"id": "x", "name": "X"}}):
            grant = parsing.read(
                {"token": {**shown["token"], **scope}}, {"member": Role.MEMBER}, NOW
            ).grant
            self.assertEqual((None, frozenset()), (grant.project, grant.roles))

    @given(st.data())
    def test_nonsense(self, data: st.DataObject) -> None:
        """A token with a part of another kind is no token of anybody's."""
        fake = FakeKeystone(Clock())
        shown = fake.shown(fake.tokens[fake.log_in("alice")])
        part: Any = shown
        while isinstance(part, dict):
            key = data.draw(st.sampled_from(sorted(part)))
            if isinstance(part[key], dict) and data.draw(st.booleans()):
                part = part[key]
                continue
            part[key] = data.draw(
                st.none() | st.integers() | st.text(max_size=3) | st.just([1])
            )
            break
        try:
            said = parsing.read(shown, {}, 0.0)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            return
        self.assertIsInstance(said.grant.user.name, str)
