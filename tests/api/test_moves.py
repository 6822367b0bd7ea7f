"""``migrate``, ``os-migrateLive`` and ``evacuate``."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.core.server import ALLOWED, Action, Life, Observed, vm_state
from snf.storage import clusters
from snf.testing.world import ADMIN, ALICE, BOB, CLUSTER, READER
from tests.api.case import SERVERS, ApiTestCase, Reply
from tests.api.test_actions import LIVES

OTHER = "ganeti2.test"
LIVE_21 = {"host": None, "block_migration": False, "disk_over_commit": False}
LIVE_25 = {"host": None, "block_migration": "auto"}

# Of each action a body that does for a version, and the kind of its order.
PLAIN: dict[Action, tuple[str, Any, str]] = {
    Action.MIGRATE: ("2.1", {"migrate": None}, "migrate"),
    Action.MIGRATE_LIVE: ("2.25", {"os-migrateLive": LIVE_25}, "live-migration"),
    Action.EVACUATE: ("2.14", {"evacuate": {}}, "evacuate"),
}
CODES = {Action.EVACUATE: 200}

# In which a server has to be for what is asked for.
FIT = {
    Action.MIGRATE: Life(Observed.UP),
    Action.MIGRATE_LIVE: Life(Observed.UP),
    Action.EVACUATE: Life(Observed.UNKNOWN),
}


class MoveTestCase(ApiTestCase):
    """A test with a server of Alice's, and two clusters."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server()
        self.live(self.mine, Life(Observed.UP))
        self.run_in(clusters.add, evolve(CLUSTER, name=OTHER))

    def ask(self, body: Any, version: str = "2.96", by=ADMIN, server="") -> Reply:
        """Ask for an action."""
        url = f"{SERVERS}/{server or self.mine}/action"
        return self.call("POST", url, body, by=by, version=version)

    def orders(self) -> list[tuple[Any, ...]]:
        """Return what has been ordered since the server was built."""
        return self.sql("SELECT kind, arguments FROM orders WHERE kind <> 'create'")

    def again(self, life: Life) -> None:
        """Have the server in a life, and nothing ordered."""
        self.sql("DELETE FROM server_action")
        self.sql("DELETE FROM orders WHERE kind <> 'create'")
        self.live(self.mine, life)


class AllowedTests(MoveTestCase):
    """Who may ask for what when."""

    def test_states(self) -> None:
        """Each is taken or refused by the table, whatever the status."""
        for action, (version, body, kind) in PLAIN.items():
            for status, life in LIVES.items():
                self.again(life)
                reply = self.ask(body, version)
                if status in ALLOWED[action]:
                    self.assertEqual(CODES.get(action, 202), reply.code, reply.text)
                    self.assertEqual(b"", reply.text)
                    self.assertEqual([(kind, {})], self.orders())
                    shown = self.shown(self.mine)
                    self.assertEqual("migrating", shown["OS-EXT-STS:task_state"])
                else:
                    self.assertEqual(409, reply.code, (action, status))
                    self.assertIn(f"vm_state {vm_state(status)}", reply.message)
                    self.assertEqual([], self.orders())

    def test_status(self) -> None:
        """One that runs is MIGRATING, and found as such; it can be deleted."""
        self.ask({"migrate": None})
        self.assertEqual("MIGRATING", self.shown(self.mine)["status"])
        url = f"{SERVERS}?status=migrating"
        [found] = self.call("GET", url, by=ALICE).json["servers"]
        self.assertEqual(self.mine, found["id"])
        for action, (version, body, _) in PLAIN.items():
            self.assertEqual(409, self.ask(body, version).code, action)
        url = f"{SERVERS}/{self.mine}"
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)

    def test_roles(self) -> None:
        """Whoever is no admin is told so, whatever the server and the body."""
        for action, (version, body, _) in PLAIN.items():
            self.again(FIT[action])
            for by in (ALICE, BOB, READER):
                for server in (self.mine, str(uuid4())):
                    reply = self.ask(body, version, by, server)
                    self.assertEqual(403, reply.code, (action, by.name))
            [name] = body
            self.assertEqual(403, self.ask({name: "x"}, version, ALICE).code)
        self.assertEqual([], self.orders())

    def test_missing(self) -> None:
        """What is not there cannot be moved."""
        for version, body, _ in PLAIN.values():
            self.assertEqual(404, self.ask(body, version, server=str(uuid4())).code)

    def test_history(self) -> None:
        """Owners see that it was moved, by whom, and how that ended."""
        for action, (version, body, kind) in PLAIN.items():
            self.again(FIT[action])
            request = self.ask(body, version).header("x-openstack-request-id")
            url = f"{SERVERS}/{self.mine}/os-instance-actions/{request}"
            shown = self.call("GET", url, by=ALICE, version="2.84").json
            shown = shown["instanceAction"]
            self.assertEqual((kind, str(ADMIN.id)), (shown["action"], shown["user_id"]))
            [event] = shown["events"]
            self.assertIsNone(event["result"])
            self.sql(
                "UPDATE orders SET state = 'failed', ended = now(),"
                " error = 'it does not allow migrations' WHERE kind = %s",
                kind,
            )
            shown = self.call("GET", url, by=ALICE, version="2.84").json
            [event] = shown["instanceAction"]["events"]
            self.assertEqual("it does not allow migrations", event["details"])


class BodyTests(MoveTestCase):
    """What a body may say, by version."""

    def good(self, action: Action, argument: Any, version: str, *expected: Any) -> None:
        """It is taken; the order says what is expected."""
        self.again(FIT[action])
        reply = self.ask({action.value: argument}, version)
        self.assertEqual(CODES.get(action, 202), reply.code, (argument, reply.text))
        [(_, arguments)] = self.orders()
        self.assertEqual(expected[0] if expected else {}, arguments)

    def bad(self, action: Action, argument: Any, version: str, word: str) -> None:
        """It is a 400 that names what is wrong, and nothing is ordered."""
        self.again(FIT[action])
        reply = self.ask({action.value: argument}, version)
        self.assertEqual(400, reply.code, (argument, version))
        self.assertIn(word, reply.message)
        self.assertIn(action.value, reply.message)
        self.assertEqual([], self.orders())

    def test_migrate(self) -> None:
        """A host can be named from 2.56 on."""
        for nothing in (None, {}, ""):
            self.good(Action.MIGRATE, nothing, "2.55")
            self.good(Action.MIGRATE, nothing, "2.56")
        self.good(Action.MIGRATE, {"host": None}, "2.56")
        node = {"node": "node2.example.org"}
        self.good(Action.MIGRATE, {"host": "node2.example.org"}, "2.56", node)
        self.bad(Action.MIGRATE, {"host": None}, "2.55", "host")
        for odd in (1, True, [], "now"):
            self.bad(Action.MIGRATE, odd, "2.96", "object")
        self.bad(Action.MIGRATE, {"force": True}, "2.96", "force")

    def test_live_oldest(self) -> None:
        """Below 2.25 three fields are needed; yes and no are written in many ways."""
        for no in (False, "false", "False", "0", "no", "off"):
            argument = LIVE_21 | {"block_migration": no, "disk_over_commit": no}
            self.good(Action.MIGRATE_LIVE, argument, "2.1")
        self.good(Action.MIGRATE_LIVE, LIVE_21 | {"disk_over_commit": "yes"}, "2.24")
        for field in LIVE_21:
            less = {name: LIVE_21[name] for name in LIVE_21 if name != field}
            self.bad(Action.MIGRATE_LIVE, less, "2.24", field)
            for odd in (1, 0, [], {}, "may be"):
                self.bad(Action.MIGRATE_LIVE, LIVE_21 | {field: odd}, "2.24", field)
        self.bad(Action.MIGRATE_LIVE, LIVE_21 | {"force": False}, "2.24", "force")

    def test_live(self) -> None:
        """From 2.25 on it may be automatic; it can be forced from 2.30 to 2.67."""
        for version in ("2.25", "2.29", "2.30", "2.67", "2.68", "2.96"):
            self.good(Action.MIGRATE_LIVE, LIVE_25, version)
            argument = LIVE_25 | {"block_migration": "False"}
            self.good(Action.MIGRATE_LIVE, argument, version)
            self.bad(Action.MIGRATE_LIVE, LIVE_21, version, "disk_over_commit")
            self.bad(Action.MIGRATE_LIVE, {"host": None}, version, "block_migration")
            self.bad(Action.MIGRATE_LIVE, {"block_migration": "auto"}, version, "host")
        forced = LIVE_25 | {"host": "node2", "force": True}
        for version in ("2.30", "2.67"):
            expected = {"node": "node2", "force": True}
            self.good(Action.MIGRATE_LIVE, forced, version, expected)
            nowhere = forced | {"host": None}
            self.bad(Action.MIGRATE_LIVE, nowhere, version, "force")
            self.bad(Action.MIGRATE_LIVE, forced | {"force": None}, version, "force")
        for version in ("2.29", "2.68"):
            self.bad(Action.MIGRATE_LIVE, forced, version, "force")

    def test_block_migration(self) -> None:
        """Disks are not copied, and whoever wants that is told so."""
        for version, fields in (("2.1", LIVE_21), ("2.96", LIVE_25)):
            argument = fields | {"block_migration": True}
            self.bad(Action.MIGRATE_LIVE, argument, version, "block_migration")

    def test_live_odd(self) -> None:
        """Live migration has an object."""
        for odd in (None, "", 1, True, [], "x"):
            self.bad(Action.MIGRATE_LIVE, odd, "2.96", "object")

    def test_evacuate(self) -> None:
        """Below 2.14 it has to be with its disks; it can be forced from 2.29 to 2.67."""
        shared = {"onSharedStorage": True}
        self.good(Action.EVACUATE, shared, "2.13")
        self.good(Action.EVACUATE, {"onSharedStorage": "True"}, "2.1")
        self.bad(Action.EVACUATE, {}, "2.13", "onSharedStorage")
        self.bad(Action.EVACUATE, {"onSharedStorage": False}, "2.13", "onSharedStorage")
        self.bad(Action.EVACUATE, {"onSharedStorage": None}, "2.13", "onSharedStorage")
        self.bad(Action.EVACUATE, shared, "2.14", "onSharedStorage")
        forced = {"host": "node2", "force": True}
        for version in ("2.29", "2.67"):
            expected = {"node": "node2", "force": True}
            self.good(Action.EVACUATE, forced, version, expected)
            self.bad(Action.EVACUATE, {"force": True}, version, "host")
        for version in ("2.28", "2.68"):
            self.bad(Action.EVACUATE, forced, version, "force")
        for version in ("2.14", "2.96"):
            self.good(Action.EVACUATE, {"host": None}, version)
            self.bad(Action.EVACUATE, {"adminPass": "x"}, version, "adminPass")
        self.again(FIT[Action.EVACUATE])
        self.assertEqual({}, self.ask({"evacuate": shared}, "2.13").json)

    def test_hosts(self) -> None:
        """The own cluster leaves it to Ganeti; another cluster is a 400."""
        for action, argument in (
            (Action.MIGRATE, {}),
            (Action.MIGRATE_LIVE, LIVE_25),
            (Action.EVACUATE, {}),
        ):
            self.good(action, argument | {"host": CLUSTER.name}, "2.96")
            self.bad(action, argument | {"host": OTHER}, "2.96", "another cluster")
            for odd in ("", "a b", "-x", "ü", "x" * 256, "a\n", "a/b", "a\0", 1, []):
                self.bad(action, argument | {"host": odd}, "2.96", "host")
