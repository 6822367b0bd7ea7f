"""What admins do to servers: ``SNF:suspend``, ``SNF:unsuspend``, ``os-resetState``."""

from typing import Any
from uuid import uuid4

from snf.core.server import ALLOWED, Action, Fault, Life, Observed, Task
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import NOW, SERVERS, ApiTestCase, Reply
from tests.api.test_actions import LIVES

SUSPEND = {"SNF:suspend": None}
UNSUSPEND = {"SNF:unsuspend": None}
RESET = {"os-resetState": {"state": "active"}}


class RepairTestCase(ApiTestCase):
    """A test with a server of Alice's that runs."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server(metadata={"a": "b"})
        self.live(self.mine, Life(Observed.UP))

    def orders(self) -> list[str]:
        """Return what has been ordered since the server was built."""
        rows = self.sql("SELECT kind FROM orders WHERE kind <> 'create'")
        return [kind for (kind,) in rows]

    def refused(self, bodies: list[Any]) -> None:
        """Each is a 400, and nothing comes of it."""
        for body in bodies:
            self.assertEqual(400, self.act(self.mine, body, ADMIN).code, body)
        self.assertEqual([], self.orders())

    def for_admins(self, body: Any) -> None:
        """Others are told that it is not for them; what is not there is a 404."""
        for by in (ALICE, BOB, READER):
            for server in (self.mine, str(uuid4())):
                self.assertEqual(403, self.act(server, body, by).code, by.name)
        self.assertEqual(404, self.act(str(uuid4()), body, ADMIN).code)


class SuspendTests(RepairTestCase):
    """A server is taken from its owner."""

    def changes(self, by=ALICE) -> list[int]:
        """Return the answers to all that changes a server."""
        url = f"{SERVERS}/{self.mine}"
        return [
            self.call(method, url + path, body, by=by, version="2.96").code
            for method, path, body in (
                ("PUT", "", {"server": {"name": "x"}}),
                ("POST", "/metadata", {"metadata": {"c": "d"}}),
                ("PUT", "/metadata", {"metadata": {"c": "d"}}),
                ("PUT", "/meta/c", {"meta": {"c": "d"}}),
                ("DELETE", "/metadata/c", None),
                ("PUT", "/tags", {"tags": ["x"]}),
                ("PUT", "/tags/y", None),
                ("DELETE", "/tags/y", None),
                ("DELETE", "/tags", None),
                ("POST", "/action", {"lock": None}),
                ("POST", "/action", {"unlock": None}),
                ("POST", "/action", {"os-start": None}),
                ("POST", "/action", {"forceDelete": None}),
                ("DELETE", "", None),
            )
        ]

    def suspended(self, by=ALICE) -> Any:
        """Return what the owner sees."""
        return self.shown(self.mine, by)["suspended"]

    def ask(self, body: Any) -> Reply:
        """Ask as an admin, who is to succeed."""
        reply = self.act(self.mine, body, ADMIN)
        self.assertEqual((202, b""), (reply.code, reply.text))
        return reply

    def test_suspended(self) -> None:
        """It is stopped, and its owner changes nothing, but sees it all."""
        self.assertIs(False, self.suspended())
        self.ask(SUSPEND)
        self.assertEqual(["stop"], self.orders())
        shown = self.shown(self.mine)
        self.assertEqual(
            (True, Task.STOPPING.value),
            (shown["suspended"], shown["OS-EXT-STS:task_state"]),
        )
        self.live(self.mine, Life(Observed.DOWN))
        self.assertEqual({403}, set(self.changes()))
        reply = self.act(self.mine, {"os-start": None})
        self.assertIn("suspended by an administrator", reply.message)
        for path in ("", "/metadata", "/ips", "/os-instance-actions"):
            url = f"{SERVERS}/{self.mine}{path}"
            self.assertEqual(200, self.call("GET", url, by=ALICE).code)
        for by in (ALICE, READER):
            [listed] = self.call("GET", f"{SERVERS}/detail", by=by).json["servers"]
            self.assertIs(True, listed["suspended"])
        self.assertEqual(["stop"], self.orders())

    def test_locked_too(self) -> None:
        """Who has locked it is told of the suspension all the same."""
        self.act(self.mine, {"lock": None})
        self.ask(SUSPEND)
        self.assertEqual({403}, set(self.changes()))

    def test_given_back(self) -> None:
        """It is as before, stopped, and its owner may start it."""
        self.ask(SUSPEND)
        self.live(self.mine, Life(Observed.DOWN))
        self.ask(UNSUSPEND)
        self.assertIs(False, self.suspended())
        self.assertEqual(["stop"], self.orders())
        self.assertEqual(202, self.act(self.mine, {"os-start": None}).code)

    def test_admins(self) -> None:
        """An admin may do everything with it."""
        self.ask(SUSPEND)
        self.live(self.mine, Life(Observed.DOWN))
        self.assertEqual(
            [200, 200, 200, 201, 204, 200, 201, 204, 204, 202, 202, 202, 202, 204],
            self.changes(ADMIN),
        )

    def test_any_status(self) -> None:
        """It can be done in every status; stopped is what may run."""
        for life, orders in (
            (Life(Observed.UP), ["stop"]),
            (Life(Observed.UNKNOWN), ["stop"]),
            (Life(Observed.DOWN), []),
            (Life(Observed.DOWN, fault=Fault("x", NOW)), []),
        ):
            self.sql("DELETE FROM server_action")
            self.sql("DELETE FROM orders WHERE kind <> 'create'")
            self.live(self.mine, life)
            self.ask(SUSPEND)
            self.assertEqual(orders, self.orders())
            self.assertIs(True, self.suspended())
            self.ask(UNSUSPEND)

    def test_while_building(self) -> None:
        """One that is being built is stopped when it has been."""
        mine = self.server()
        self.assertEqual(202, self.act(mine, SUSPEND, ADMIN).code)
        self.assertEqual(["stop"], self.orders())
        self.assertEqual("BUILD", self.shown(mine)["status"])

    def test_while_deleting(self) -> None:
        """One that is being deleted is not stopped."""
        self.call("DELETE", f"{SERVERS}/{self.mine}", by=ALICE)
        self.ask(SUSPEND)
        self.assertEqual(["delete"], self.orders())

    def test_history(self) -> None:
        """Owners see who did it, and how the stop ended."""
        request = self.ask(SUSPEND).header("x-openstack-request-id")
        self.ask(UNSUSPEND)
        path = f"{SERVERS}/{self.mine}/os-instance-actions"
        found = self.call("GET", path, by=ALICE).json["instanceActions"]
        self.assertEqual(
            ["unsuspend", "suspend", "create"], [one["action"] for one in found]
        )
        reply = self.call("GET", f"{path}/{request}", by=ALICE, version="2.96").json
        [event] = reply["instanceAction"]["events"]
        self.assertIsNone(event["result"])

    def test_changed(self) -> None:
        """Lists of changes have it."""
        self.sql("UPDATE server SET updated = '2020-01-01'")
        self.live(self.mine, Life(Observed.DOWN, clock=(1.0, 1)))
        self.sql("UPDATE server SET updated = '2020-01-01'")
        self.ask(SUSPEND)
        url = f"{SERVERS}?changes-since=2020-01-02"
        self.assertEqual(1, len(self.call("GET", url, by=ALICE).json["servers"]))

    def test_refused(self) -> None:
        """It takes no arguments, and is for admins."""
        self.refused(
            [
                {name: argument}
                for name in ("SNF:suspend", "SNF:unsuspend")
                for argument in ("x", 1, True, [1], {"reason": "x"})
            ]
        )
        for body in (SUSPEND, UNSUSPEND):
            self.for_admins(body)
        self.assertIs(False, self.suspended())


class ResetTests(RepairTestCase):
    """A fault is forgotten."""

    def test_states(self) -> None:
        """Only what is in ERROR can be reset; then it is to be looked at anew."""
        for status, life in LIVES.items():
            self.live(self.mine, life)
            reply = self.act(self.mine, RESET, ADMIN)
            allowed = status in ALLOWED[Action.RESET]
            self.assertEqual(202 if allowed else 409, reply.code, status)
            shown = self.shown(self.mine)
            self.assertEqual("BUILD" if allowed else status.value, shown["status"])
            if allowed:
                self.assertNotIn("fault", shown)
        self.assertEqual([], self.orders())

    def test_never_built(self) -> None:
        """Nor is one lost of which Ganeti has nothing: it is not taken for deleted."""
        self.live(self.mine, Life(Observed.GONE, fault=Fault("never built", NOW)))
        self.assertEqual(202, self.act(self.mine, RESET, ADMIN).code)
        self.assertEqual("BUILD", self.shown(self.mine)["status"])

    def test_refused(self) -> None:
        """It is reset to active, which is all that there is, and by admins."""
        self.live(self.mine, Life(Observed.DOWN, fault=Fault("x", NOW)))
        arguments: list[Any] = [None, "active", {}, [], 1, {"state": "error"}]
        arguments += [{"state": "ACTIVE"}, {"state": None}, {"state": ["active"]}]
        arguments += [{"state": "active", "task": None}]
        self.refused([{"os-resetState": argument} for argument in arguments])
        self.for_admins(RESET)
        self.assertEqual("ERROR", self.shown(self.mine)["status"])


class UnofferedTests(RepairTestCase):
    """What Ganeti has no means for."""

    def test_not_implemented(self) -> None:
        """It is a 501 that says why, whatever the arguments and whoever asks."""
        for name in (
            *("pause", "unpause", "suspend", "resume", "rescue", "unrescue"),
            *("shelve", "shelveOffload", "unshelve"),
            "trigger_crash_dump",
        ):
            for argument in (None, {}, {"x": 1}):
                for by in (ALICE, ADMIN):
                    reply = self.act(self.mine, {name: argument}, by)
                    self.assertEqual(501, reply.code, name)
                    self.assertEqual(501, reply.json["notImplemented"]["code"])
                    self.assertNotEqual("", reply.message)
        self.assertEqual([], self.orders())

    def test_removed(self) -> None:
        """What OpenStack has removed is a 410."""
        for name in ("resetNetwork", "injectNetworkInfo"):
            reply = self.act(self.mine, {name: None}, ADMIN)
            self.assertEqual((410, ["computeFault"]), (reply.code, [*reply.json]))

    def test_restore(self) -> None:
        """What is there need not be restored, and what was deleted cannot be."""
        reply = self.act(self.mine, {"restore": None})
        self.assertEqual(409, reply.code)
        self.assertIn("Cannot 'restore'", reply.message)
        self.live(self.mine, Life(Observed.GONE))
        self.assertEqual(404, self.act(self.mine, {"restore": None}).code)

    def test_others(self) -> None:
        """Others' servers are not there; a reader asks for nothing."""
        for name in ("pause", "resetNetwork", "restore", "forceDelete"):
            self.assertEqual(404, self.act(self.mine, {name: None}, BOB).code)
            self.assertEqual(403, self.act(self.mine, {name: None}, READER).code)

    def test_forced_deletion(self) -> None:
        """Deleting by force is deleting; a lock is against it."""
        self.act(self.mine, {"lock": None})
        self.assertEqual(409, self.act(self.mine, {"forceDelete": None}).code)
        self.act(self.mine, {"unlock": None})
        self.assertEqual(400, self.act(self.mine, {"forceDelete": 1}).code)
        self.assertEqual(202, self.act(self.mine, {"forceDelete": None}).code)
        self.assertEqual(["delete"], self.orders())
        self.assertEqual(202, self.act(self.mine, {"forceDelete": None}).code)
        self.assertEqual(["delete"], self.orders())
