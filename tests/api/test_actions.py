"""``POST /servers/{id}/action``."""

from uuid import uuid4

from snf.core.order import Kind, Order
from snf.core.server import (
    ALLOWED,
    Action,
    Fault,
    Life,
    Observed,
    Status,
    Task,
    vm_state,
)
from snf.storage import lives, orders
from snf.testing.world import ALICE
from tests.api.case import NOW, SERVERS, ApiTestCase

# A life that shows each status, with no task under way.  REBOOT and HARD_REBOOT are
# tasks; DELETED is not there any more.
LIVES = {
    Status.ACTIVE: Life(Observed.UP),
    Status.SHUTOFF: Life(Observed.DOWN),
    Status.UNKNOWN: Life(Observed.UNKNOWN),
    Status.ERROR: Life(Observed.DOWN, fault=Fault("x", NOW)),
    Status.BUILD: Life(Observed.BUILD),
}

BODIES: dict[Action, list] = {
    Action.START: [{"os-start": None}, {"start": {}}],
    Action.STOP: [{"os-stop": None}, {"shutdown": {}}],
    Action.REBOOT: [{"reboot": {"type": "SOFT"}}],
    Action.REBOOT_HARD: [{"reboot": {"type": "HARD"}}],
    Action.RESTORE: [{"restore": None}, {"restore": {}}],
}

# The order that comes of each action, and what it shows.
ORDERS = {
    Action.START: ("start", {}, Task.STARTING),
    Action.STOP: ("stop", {}, Task.STOPPING),
    Action.REBOOT: ("reboot", {}, Task.REBOOTING),
    Action.REBOOT_HARD: ("reboot", {"hard": True}, Task.REBOOTING_HARD),
}


class AllowedTests(ApiTestCase):
    """What may be asked for in which status."""

    def test_table(self) -> None:
        """Every action in every status is taken, or is a 409, as the table says."""
        for status, life in LIVES.items():
            for action, bodies in BODIES.items():
                for body in bodies:
                    with self.subTest(status=status, body=body):
                        self.check(status, life, action, body)

    def check(self, status: Status, life: Life, action: Action, body: dict) -> None:
        """Ask for one action in one status."""
        server = self.server()
        self.live(server, life)
        self.sql("DELETE FROM orders")
        self.assertEqual(status.value, self.shown(server)["status"])
        reply = self.act(server, body)
        made = self.sql("SELECT kind, arguments FROM orders")
        if status in ALLOWED[action]:
            kind, arguments, task = ORDERS[action]
            self.assertEqual((202, b""), (reply.code, reply.text))
            self.assertEqual([(kind, arguments)], made)
            shown = self.shown(server)
            self.assertEqual(task.value, shown["OS-EXT-STS:task_state"])
        else:
            self.assertEqual(409, reply.code, reply.text)
            self.assertEqual(
                f"Cannot '{action.value}' instance {server} while it is in vm_state "
                f"{vm_state(status)}",
                reply.json["conflictingRequest"]["message"],
            )
            self.assertEqual([], made)
        self.sql("DELETE FROM orders")

    def test_under_way(self) -> None:
        """While anything is under way everything but a deletion is a 409."""
        for life, first in (
            (Life(Observed.UP), {"os-stop": None}),
            (Life(Observed.DOWN), {"os-start": None}),
            (Life(Observed.UP), {"reboot": {"type": "SOFT"}}),
            (Life(Observed.UP), {"reboot": {"type": "HARD"}}),
        ):
            server = self.server()
            self.live(server, life)
            self.assertEqual(202, self.act(server, first).code)
            task = self.shown(server)["OS-EXT-STS:task_state"]
            for bodies in BODIES.values():
                reply = self.act(server, bodies[0])
                self.assertEqual(409, reply.code)
                self.assertIn(f"task_state {task}", reply.message)
            reply = self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
            self.assertEqual(204, reply.code)

    def test_while_building(self) -> None:
        """Nothing can be asked of a server that is being built."""
        server = self.server()
        for bodies in BODIES.values():
            self.assertEqual(409, self.act(server, bodies[0]).code)

    def test_while_deleting(self) -> None:
        """Nothing can be asked of a server that is being deleted."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
        for bodies in BODIES.values():
            self.assertEqual(409, self.act(server, bodies[0]).code)

    def test_rebooting_shows(self) -> None:
        """A server that is rebooting says so in its status."""
        for kind, status in (("SOFT", "REBOOT"), ("HARD", "HARD_REBOOT")):
            server = self.server()
            self.live(server, Life(Observed.UP))
            self.act(server, {"reboot": {"type": kind}})
            self.assertEqual(status, self.shown(server)["status"])

    def test_done(self) -> None:
        """When Ganeti has carried the order out, the next one may come."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.act(server, {"os-stop": None})

        def carried_out(txn) -> None:
            txn.execute("SELECT id FROM server")
            [(number,)] = txn.fetchall()
            before = lives.load(txn, [number])
            [order] = orders.of_servers(txn, [number])[number]
            after = Life(Observed.DOWN, orders=(order.ended(None, 5),), clock=(NOW, 5))
            lives.save(txn, before, {number: after})

        self.run_in(carried_out)
        self.assertEqual("SHUTOFF", self.shown(server)["status"])
        self.assertEqual(202, self.act(server, {"os-start": None}).code)

    def test_noted(self) -> None:
        """Order and audit trail carry the request's id."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        request_id = self.act(server, {"os-stop": None}).header("x-compute-request-id")
        self.assertEqual(
            [("server stop", request_id)],
            self.sql(
                "SELECT a.action, o.request_id FROM activity a JOIN orders o"
                " USING (request_id) WHERE o.kind = 'stop'"
            ),
        )


class BodyTests(ApiTestCase):
    """What a body may be."""

    def setUp(self) -> None:
        super().setUp()
        self.id = self.server()
        self.live(self.id, Life(Observed.UP))

    def assert_bad(self, body, named: str = "") -> None:
        """It is a 400 that says so, and no order comes of it."""
        reply = self.act(self.id, body)
        self.assertEqual(400, reply.code, (body, reply.text))
        self.assertIn(named, reply.json["badRequest"]["message"])
        self.assertEqual([("create",)], self.sql("SELECT kind FROM orders"))

    def test_one_key(self) -> None:
        """A body has one key, the action."""
        self.assert_bad({}, "exactly one")
        self.assert_bad({"os-stop": None, "os-start": None}, "exactly one")

    def test_object(self) -> None:
        """A body is an object."""
        for body in ([], ["os-stop"], "os-stop", 1, True):
            self.assert_bad(body)

    def test_unknown(self) -> None:
        """An action that there is not is named."""
        for name in ("os-explode", "OS-STOP", "", "os-stop ", "__class__", "\0"):
            self.assert_bad({name: None}, f"There is no such action: {name}")

    def test_arguments(self) -> None:
        """Starting and stopping take no arguments, however nothing is written."""
        for name in ("os-stop", "shutdown", "os-start", "start"):
            for argument in ({"type": "HARD"}, [1], "now", 1, True):
                self.assert_bad({name: argument}, name)
        for nothing in (None, {}, ""):
            reply = self.act(self.id, {"os-stop": nothing})
            self.assertEqual(202, reply.code, reply.text)
            self.sql("DELETE FROM orders WHERE kind = 'stop'")
            self.live(self.id, Life(Observed.UP))

    def test_reboots(self) -> None:
        """A reboot is SOFT or HARD, in any case; SOFT when it does not say."""
        for argument, hard in (
            ({"type": "SOFT"}, False),
            ({"type": "soft"}, False),
            ({}, False),
            ({"type": "HARD"}, True),
            ({"type": "Hard"}, True),
        ):
            self.assertEqual(202, self.act(self.id, {"reboot": argument}).code)
            [(arguments,)] = self.sql(
                "SELECT arguments FROM orders WHERE kind = 'reboot'"
            )
            self.assertEqual(hard, arguments.get("hard", False))
            self.sql("DELETE FROM orders WHERE kind = 'reboot'")
            self.live(self.id, Life(Observed.UP))

    def test_other_reboots(self) -> None:
        """Other reboots there are not."""
        for argument in (
            None,
            "SOFT",
            [],
            {"type": None},
            {"type": 1},
            {"type": ["HARD"]},
            {"type": "WARM"},
            {"type": ""},
        ):
            self.assert_bad({"reboot": argument}, "reboot.type")

    def test_missing(self) -> None:
        """Nothing can be asked of a server that is not there."""
        for text in (str(uuid4()), "web"):
            self.assertEqual(404, self.act(text, {"os-stop": None}).code)

    def test_submitted_orders_count(self) -> None:
        """An order that Ganeti has is under way still."""

        def add(txn) -> None:
            txn.execute("SELECT id, cluster_id FROM server")
            [(number, cluster)] = txn.fetchall()
            order = Order(uuid4(), number, Kind.STOP)
            orders.add(txn, order, cluster, "req-1")
            orders.save(txn, order.submitted(7))

        self.run_in(add)
        self.assertEqual(409, self.act(self.id, {"os-stop": None}).code)
