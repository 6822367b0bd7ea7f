"""The APIs with a Keystone's accounts."""

from uuid import UUID

from attrs import evolve
from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from snf.api.authority import ForeignTokens
from snf.core.identity import Grant
from snf.keystone.client import over
from snf.keystone.token import read
from snf.keystone.tokens import Tokens
from snf.storage import accounts
from snf.storage.database import Transaction, connect
from snf.testing import world
from snf.testing.keystone import URL, FakeKeystone, Mood, Person, identity
from snf.testing.postgres import threaded_database
from tests.api.case import NOW, SERVERS, TOKENS, ApiTestCase, Reply


class KeystoneTestCase(ApiTestCase):
    """A test with a fake Keystone that knows ``alice``, member of ``alpha``."""

    def setUp(self) -> None:
        self.keystone_clock = Clock()
        self.keystone_clock.advance(NOW)
        self.fake = FakeKeystone(self.keystone_clock)
        client = over(
            StubTreq(self.fake.resource()), self.fake.account, self.keystone_clock, 10.0
        )

        async def adopt(grant: Grant) -> None:
            await self.database.run(accounts.adopt, grant)

        tokens = Tokens(self.keystone_clock, client.validate, adopt, 60.0)
        self.keystone = ForeignTokens(URL, tokens.grant)
        super().setUp()

    def ask(self, token: str | None, path: str = SERVERS) -> Reply:
        """Return the answer to somebody with a token."""
        headers = {} if token is None else {"X-Auth-Token": token}
        return self.call("GET", path, headers=headers)

    def enter(self, name: str = "alice", scoped: bool = True) -> str:
        """Return a new token, after whatever is remembered."""
        self.keystone_clock.advance(61)
        return self.fake.log_in(name, scoped)


class TokenTests(KeystoneTestCase):
    """Who gets in."""

    def test_life(self) -> None:
        """Somebody never seen before makes a server, which is the project's."""
        token = self.enter()
        self._logged_in["alice"] = token
        server = self.server()
        shown = self.shown(server)
        self.assertEqual(identity("alpha"), UUID(shown["tenant_id"]).hex)
        self.assertEqual(identity("alice"), UUID(shown["user_id"]).hex)
        self.fake.add(Person("bob", project="beta"))
        self.assertEqual(404, self.ask(self.enter("bob"), f"{SERVERS}/{server}").code)

    def test_refused(self) -> None:
        """No token, none that is known, one revoked: the 401 names the Keystone."""
        token = self.enter()
        self.assertEqual(200, self.ask(token).code)
        del self.fake.tokens[token]
        self.keystone_clock.advance(60)
        for one in (None, "guess", token):
            reply = self.ask(one)
            self.assertEqual(401, reply.code)
            self.assertEqual(f'Keystone uri="{URL}"', reply.header("WWW-Authenticate"))

    def test_disabled_project(self) -> None:
        """A project that is disabled lets nobody in."""
        token = self.enter()
        self.fake.disabled.add("alpha")
        self.assertEqual(401, self.ask(token).code)

    def test_unscoped(self) -> None:
        """A token for no project is told so."""
        reply = self.ask(self.enter(scoped=False))
        self.assertEqual(403, reply.code)
        self.assertIn("not scoped", reply.message)

    def test_no_role(self) -> None:
        """A role that is none of ours is none."""
        self.fake.add(Person("alice", roles=("auditor",)))
        self.assertEqual(403, self.ask(self.enter()).code)

    def test_admin(self) -> None:
        """Keystone's admin is admin here."""
        everything = f"{SERVERS}?all_tenants=1"
        self.assertEqual(403, self.ask(self.enter(), everything).code)
        self.fake.add(Person("root", project="admin", roles=("admin",)))
        self.assertEqual(200, self.ask(self.enter("root"), everything).code)

    def test_away(self) -> None:
        """While Keystone is away: 503 in a sentence; who is known goes on."""
        token = self.enter()
        self.assertEqual(200, self.ask(token).code)
        self.fake.mood = Mood.HTML
        reply = self.ask("another")
        self.assertEqual(503, reply.code)
        self.assertIn("Keystone", reply.message)
        self.assertEqual(200, self.ask(token).code)

    def test_own_tokens(self) -> None:
        """Tokens of our own, made before, are nothing any more."""
        self.keystone, ours = None, self.keystone
        self.site = self.new_site()
        token = self.log_in("alice", "correct horse").header("X-Subject-Token")
        self.assertEqual(200, self.ask(token).code)
        self.keystone = ours
        self.site = self.new_site()
        self.assertEqual(401, self.ask(token).code)


class TreeTests(KeystoneTestCase):
    """What there is besides."""

    def test_no_identity(self) -> None:
        """There is no identity service of our own."""
        for method, path in (
            ("GET", "/identity"),
            ("GET", "/identity/v3"),
            ("POST", TOKENS),
            ("POST", "/identity/v2.0/tokens"),
        ):
            self.assertEqual(404, self.call(method, path).code, path)

    def test_discovery(self) -> None:
        """The document at the root leads to the Keystone."""
        found = self.call("GET", "/").json
        self.assertEqual(URL, found["services"]["identity"])
        [version] = found["versions"]["values"]
        self.assertEqual(f"{URL}/v3/", version["links"][0]["href"])


class AdoptTests(KeystoneTestCase):
    """The rows of Keystone's users and projects."""

    def named(self, table: str, thing: str) -> str:
        """Return the name in a row."""
        [(name,)] = self.sql(f"SELECT name FROM {table} WHERE id = %s", thing)
        return name

    def test_names(self) -> None:
        """A name that changes changes here; what has had it before gives it up."""
        alice = identity("alice")
        self.fake.add(Person("alice", id=alice, project="gamma"))
        self.ask(self.enter())
        self.fake.people["alice"] = Person("alicia", id=alice, project="gamma")
        self.fake.people["alicia"] = self.fake.people["alice"]
        self.ask(self.enter())
        self.assertEqual("alicia", self.named("user_account", alice))
        self.fake.add(Person("alicia", id="5" * 32, project="gamma"))
        self.ask(self.enter("alicia"))
        self.assertEqual("alicia", self.named("user_account", "5" * 32))
        self.assertEqual(f"alicia ({UUID(alice)})", self.named("user_account", alice))

    def test_own_names(self) -> None:
        """Our own accounts of the same names as Keystone's are not mixed up with them."""
        self.ask(self.enter())
        rows = self.sql("SELECT id FROM project WHERE name = 'alpha'")
        self.assertEqual([(UUID(identity("alpha")),)], rows)
        [(count,)] = self.sql("SELECT count(*) FROM project WHERE name LIKE 'alpha%%'")
        self.assertEqual(2, count)

    def test_nobody_logs_in(self) -> None:
        """Whoever was taken in has no password here."""
        self.ask(self.enter())
        self.keystone = None
        self.site = self.new_site()
        self.assertEqual(401, self.log_in("alice", "").code)

    def test_same(self) -> None:
        """What is here already is not written again."""
        self.ask(self.enter())
        before = self.sql("SELECT xmin FROM project ORDER BY id")
        self.ask(self.enter())
        self.assertEqual(before, self.sql("SELECT xmin FROM project ORDER BY id"))

    def test_domains(self) -> None:
        """Domains come along, with the names that they have."""
        token = self.enter()
        issued = self.fake.tokens[token]
        shown = self.fake.shown(issued)
        grant = read(shown, {}, NOW).grant
        for name in ("Apex", "Acme"):
            domain = evolve(grant.user.domain, id="d" * 32, name=name)
            self.run_in(
                accounts.adopt, evolve(grant, user=evolve(grant.user, domain=domain))
            )
            self.assertEqual(name, self.named("domain", "d" * 32))


class AdoptAtOnceTests(TestCase):
    """Two who have never been seen, each on a connection of its own."""

    timeout = 60

    async def test_same_name(self) -> None:
        """Who comes second waits for the first, and then has the name."""
        database = threaded_database(self, reactor, threads=2)
        await database.run(world.make)
        fake = FakeKeystone(Clock())
        old, new = (self.grant(fake, number * 32) for number in ("5", "6"))
        first = connect(database.dsn, None)
        self.addCleanup(first.close)
        with first.cursor() as txn:
            accounts.adopt(txn, old)
        second = Deferred.fromCoroutine(database.run(accounts.adopt, new))
        while not await database.run(_somebody_waits):
            await deferLater(reactor, 0.02)
        first.commit()
        await second
        rows = await database.run(_named_like, "zoe%")
        self.assertEqual(
            {("zoe", new.user.id), (f"zoe ({old.user.id})", old.user.id)}, set(rows)
        )

    def grant(self, fake: FakeKeystone, user: str) -> Grant:
        """Return what a token of a new user stands for."""
        fake.add(Person("zoe", id=user, project="zeta"))
        shown = fake.shown(fake.tokens[fake.log_in("zoe", True)])
        return read(shown, {}, NOW).grant


def _somebody_waits(txn: Transaction) -> bool:
    txn.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return txn.fetchall() == [(1,)]


def _named_like(txn: Transaction, pattern: str) -> list[tuple]:
    txn.execute("SELECT name, id FROM user_account WHERE name LIKE %s", (pattern,))
    return txn.fetchall()
