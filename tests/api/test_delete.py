"""``DELETE /compute/*/servers/{id}``, in every state that a server may be in."""

from uuid import uuid4

from snf.core.order import Kind
from snf.core.server import Fault, Life, Observed
from snf.storage import lives, orders
from snf.testing.world import ALICE
from tests.api.case import NOW, SERVERS, ApiTestCase


class DeleteTests(ApiTestCase):
    """``DELETE /servers/{id}``."""

    def delete(self, server: str) -> int:
        """Ask for a server to be deleted; the status."""
        return self.call("DELETE", f"{SERVERS}/{server}", by=ALICE).code

    def kinds(self) -> list[tuple[str, str]]:
        """Return all orders: what they ask for and how far they have come."""
        return self.sql("SELECT kind, state FROM orders ORDER BY number")

    def assert_gone(self, server: str) -> None:
        """The server is not there, and holds nothing."""
        self.assertEqual(404, self.call("GET", f"{SERVERS}/{server}", by=ALICE).code)
        self.assertEqual([], self.sql("SELECT id FROM port"))
        self.assertEqual([], self.sql("SELECT address FROM address"))

    def test_not_begun(self) -> None:
        """A build that Ganeti has not heard of is called off: gone at once."""
        server = self.server()
        self.assertEqual(204, self.delete(server))
        self.assert_gone(server)
        self.assertEqual([("create", "failed")], self.kinds())
        self.assertEqual(404, self.delete(server))

    def test_begun(self) -> None:
        """A build that may have begun is followed by a deletion."""
        for state in ("submitting", "submitted"):
            server = self.server()
            self.sql("UPDATE orders SET state = %s, attempts = 1", state)
            self.assertEqual(204, self.delete(server))
            shown = self.shown(server)
            self.assertEqual("BUILD", shown["status"])
            self.assertEqual("deleting", shown["OS-EXT-STS:task_state"])
            self.assertEqual([("create", state), ("delete", "new")], self.kinds())
            self.sql("DELETE FROM orders")

    def test_tried_and_put_off(self) -> None:
        """A build that has been tried may be on its way, though it is new again."""
        server = self.server()
        self.sql("UPDATE orders SET attempts = 1")
        self.delete(server)
        self.assertEqual([("create", "new"), ("delete", "new")], self.kinds())

    def test_in_every_state(self) -> None:
        """A server is deleted whatever its state."""
        for life in (
            Life(Observed.UP),
            Life(Observed.DOWN),
            Life(Observed.UNKNOWN),
            Life(Observed.DOWN, fault=Fault("x", NOW)),
        ):
            server = self.server()
            self.live(server, life)
            self.sql("DELETE FROM orders")
            self.assertEqual(204, self.delete(server), life)
            self.assertEqual([("delete", "new")], self.kinds())
            self.assertEqual("deleting", self.shown(server)["OS-EXT-STS:task_state"])
            self.sql("DELETE FROM orders")

    def test_lost(self) -> None:
        """What Ganeti has lost is gone at once, and needs no order."""
        server = self.server()
        self.live(server, Life(Observed.GONE, fault=Fault("never built", NOW)))
        self.assertEqual("ERROR", self.shown(server)["status"])
        self.assertEqual(204, self.delete(server))
        self.assert_gone(server)
        self.assertEqual([("create", "done")], self.kinds())

    def test_twice(self) -> None:
        """To ask again while it is being deleted changes nothing."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.assertEqual(204, self.delete(server))
        before = self.kinds(), self.sql("SELECT count(*) FROM activity")
        self.assertEqual(204, self.delete(server))
        self.assertEqual(
            before, (self.kinds(), self.sql("SELECT count(*) FROM activity"))
        )

    def test_calls_off_what_waits(self) -> None:
        """Orders that Ganeti has not heard of are called off."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.act(server, {"reboot": {"type": "SOFT"}})
        self.delete(server)
        self.assertEqual(
            [("create", "done"), ("reboot", "failed"), ("delete", "new")], self.kinds()
        )

    def test_done(self) -> None:
        """Once Ganeti has removed it, it is not there and its address is free."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.delete(server)

        def removed(txn) -> None:
            txn.execute("SELECT id FROM server")
            [(number,)] = txn.fetchall()
            [order] = orders.of_servers(txn, [number])[number]
            self.assertIs(Kind.DELETE, order.kind)
            before = lives.load(txn, [number])
            gone = Life(
                Observed.GONE, orders=(order.ended(None, 7),), deletion_asked=True
            )
            lives.save(txn, before, {number: gone})

        self.run_in(removed)
        self.assert_gone(server)

    def test_missing(self) -> None:
        """What is not there cannot be deleted."""
        for text in (str(uuid4()), "web"):
            self.assertEqual(404, self.delete(text))
