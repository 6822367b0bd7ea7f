"""Floating IPs that stand for addresses of ports."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.core.order import End, Kind
from snf.core.server import Life, Observed
from snf.storage import holders, lives
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    EXTERNAL,
)
from tests.api.test_floating_ips import SERVERS, V2, FloatingTestCase


class AssociationTests(FloatingTestCase):
    """What they stand for, and how nodes come to know of it."""

    def test_life(self) -> None:
        """Until the node is told that it is over, nobody else gets the address."""
        server, port, fixed = self.routed()
        made = self.new(port_id=port)
        floating = made["floating_ip_address"]
        self.assertEqual(
            (port, fixed, "ACTIVE"),
            (made["port_id"], made["fixed_ip_address"], made["status"]),
        )
        self.assertEqual({f"snf:fip:{port}:{floating}@{fixed}"}, self.tags(server))
        self.carry_out(server)
        self.assertEqual(204, self.ask("DELETE", f"/{made['id']}").code)
        self.assertEqual(404, self.ask("GET", f"/{made['id']}").code)
        self.assertEqual(set(), self.tags(server))
        self.assertTrue(self.taken(floating))
        self.carry_out(server)
        self.assertFalse(self.taken(floating))

    def test_order_under_way(self) -> None:
        """An order that was begun before does not count: it knows nothing of it.

        Nor does one that has been put off: it may have a job all the same.
        """
        for state in ("submitting", "new"):
            server, port, _ = self.routed()
            made = self.new(port_id=port)
            self.claim(state)
            self.ask("PUT", f"/{made['id']}", port_id=None)
            self.ask("DELETE", f"/{made['id']}")
            begun = self.sql(
                "UPDATE orders SET state = 'done' WHERE attempts = 1 RETURNING id"
            )
            self.run_in(holders.confirm, [order for (order,) in begun])
            self.assertTrue(self.taken(made["floating_ip_address"]), state)
            self.carry_out(server)
            self.assertFalse(self.taken(made["floating_ip_address"]), state)

    def test_moves(self) -> None:
        """Another server has it once the one before has let go."""
        one, port, _ = self.routed()
        other, other_port, _ = self.routed()
        made = self.new(port_id=port)
        self.carry_out(one)
        self.carry_out(other)
        self.ask("PUT", f"/{made['id']}", port_id=other_port)
        self.assertEqual((set(), set()), (self.tags(one), self.tags(other)))
        self.carry_out(one)
        self.assertEqual(1, len(self.tags(other)))
        open_orders = self.sql("SELECT kind FROM orders WHERE state = 'new'")
        self.assertIn((Kind.FIREWALL.value,), open_orders)

    def test_attached_later(self) -> None:
        """Its port's server has it from when the port is attached, without more ado."""
        server = self.server()
        asked = {"port": {"network_id": str(EXTERNAL.id)}}
        reply = self.call("POST", f"{V2}/ports", asked, by=ALICE)
        port = reply.json["port"]["id"]
        fixed = reply.json["port"]["fixed_ips"][0]["ip_address"]
        floating = self.new(port_id=port)["floating_ip_address"]
        self.assertEqual([], self.sql("SELECT 1 FROM orders WHERE kind = 'firewall'"))
        self.live(server, Life(Observed.UP))
        body = {"interfaceAttachment": {"port_id": port}}
        path = f"{SERVERS}/{server}/os-interface"
        self.assertEqual(200, self.call("POST", path, body, by=ALICE).code)
        kinds = self.sql("SELECT kind FROM orders WHERE state = 'new' ORDER BY number")
        self.assertEqual([("firewall",), ("attach",)], kinds)
        self.assertEqual({f"snf:fip:{port}:{floating}@{fixed}"}, self.tags(server))

    def test_moves_after_a_deletion(self) -> None:
        """It is ordered for another server as soon as the one before is gone."""
        one, port, _ = self.routed()
        other, other_port, _ = self.routed()
        made = self.new(port_id=port)
        self.carry_out(one)
        self.carry_out(other)
        self.ask("PUT", f"/{made['id']}", port_id=other_port)
        self.sql("UPDATE orders SET state = 'done' WHERE state = 'new'")
        self.assertEqual(set(), self.tags(other))
        self.live(one, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual(1, len(self.tags(other)))
        rows = self.sql("SELECT server_id, kind FROM orders WHERE state = 'new'")
        self.assertEqual([(self.number(other), "firewall")], rows)

    def test_detached(self) -> None:
        """Nobody else has it until the tags are gone by which the old node would.

        If they stayed, and its port came back, two would answer for it.
        """
        one, port, _ = self.routed()
        other, other_port, _ = self.routed()
        made = self.new(port_id=port)
        for each in (one, other):
            self.live(each, Life(Observed.UP))
        path = f"{SERVERS}/{one}/os-interface/{port}"
        self.assertEqual(202, self.call("DELETE", path, by=ALICE).code)
        number = self.number(one)

        def end(txn: Any) -> None:
            before = lives.load(txn, [number])
            done = tuple(
                order.ended(None, 1, End(1.0, live=True))
                for order in before[number].orders
            )
            lives.save(txn, before, {number: evolve(before[number], orders=done)})

        self.run_in(end)
        self.assertEqual([], self.sql("SELECT 1 FROM port WHERE id = %s", port))
        rows = self.sql("SELECT server_id, kind FROM orders WHERE state = 'new'")
        self.assertEqual([(number, "firewall")], rows)
        self.ask("PUT", f"/{made['id']}", port_id=other_port)
        self.sql("UPDATE orders SET state = 'failed' WHERE server_id = %s", number)
        self.assertEqual(set(), self.tags(other))
        self.run_in(holders.follow, [number])
        self.carry_out(one)
        self.assertEqual(1, len(self.tags(other)))

    def test_server_goes(self) -> None:
        """With its server a port goes; the floating IP stays and stands for nothing."""
        server, port, _ = self.routed()
        made = self.new(port_id=port)
        self.live(server, Life(Observed.GONE, deletion_asked=True))
        shown = self.ask("GET", f"/{made['id']}").json["floatingip"]
        self.assertEqual((None, None), (shown["port_id"], shown["fixed_ip_address"]))
        self.assertEqual([], self.sql("SELECT 1 FROM floating_ip_holder"))

    def test_server_goes_first(self) -> None:
        """One that was given back is free when its server has gone."""
        server, port, _ = self.routed()
        made = self.new(port_id=port)
        self.claim()
        self.ask("DELETE", f"/{made['id']}")
        self.assertTrue(self.taken(made["floating_ip_address"]))
        self.live(server, Life(Observed.GONE, deletion_asked=True))
        self.assertFalse(self.taken(made["floating_ip_address"]))

    def test_one_each(self) -> None:
        """Of an address of a port there is one at most."""
        _, port, fixed = self.routed()
        first, second = self.new(port_id=port), self.new()
        reply = self.ask("PUT", f"/{second['id']}", port_id=port)
        message = self.refused(409, "FloatingIPPortAlreadyAssociated", reply)
        self.assertIn(second["floating_ip_address"], message)
        self.assertIn(fixed, message)
        again = self.ask("PUT", f"/{first['id']}", port_id=port, fixed_ip_address=fixed)
        self.assertEqual(200, again.code)

    def test_unreachable(self) -> None:
        """A network that nodes do not route has nothing to lead packets there."""
        self.server()
        [(port,)] = self.sql("SELECT id FROM port")
        made = self.new()
        reply = self.ask("PUT", f"/{made['id']}", port_id=str(port))
        self.refused(404, "ExternalGatewayForFloatingIPNotFound", reply)

    def test_bad_ports(self) -> None:
        """Ports and addresses that are not one's own are refused."""
        _, port, _ = self.routed()
        _, others, _ = self.routed(BOB)
        made = self.new()
        for body, code, kind in (
            ({"port_id": others}, 404, "PortNotFound"),
            ({"port_id": str(uuid4())}, 404, "PortNotFound"),
            ({"port_id": "x"}, 404, "PortNotFound"),
            ({"port_id": port, "fixed_ip_address": "203.0.113.9"}, 400, "BadRequest"),
            ({"port_id": port, "fixed_ip_address": "x"}, 400, "InvalidInput"),
            ({"fixed_ip_address": "203.0.113.9"}, 400, "BadRequest"),
        ):
            self.refused(code, kind, self.ask("PUT", f"/{made['id']}", **body))
        reply = self.ask("PUT", f"/{made['id']}", ADMIN, port_id=others)
        self.assertIn("different project", self.refused(400, "BadRequest", reply))

    def test_describe(self) -> None:
        """To describe one leaves it standing for what it does."""
        _, port, _ = self.routed()
        made = self.new(port_id=port)
        shown = self.ask("PUT", f"/{made['id']}", description="d").json["floatingip"]
        self.assertEqual((port, "d"), (shown["port_id"], shown["description"]))

    def test_history(self) -> None:
        """Who had the address when is known, also when all of it has gone."""
        server, port, fixed = self.routed()
        made = self.new()
        floating = made["floating_ip_address"]
        self.ask("PUT", f"/{made['id']}", port_id=port)
        self.live(server, Life(Observed.GONE, deletion_asked=True))
        self.ask("DELETE", f"/{made['id']}")
        rows = self.sql(
            "SELECT host(address), server, port_id, floating_ip_id, user_id,"
            " until >= since FROM address_history ORDER BY id"
        )
        ids = [tuple(it and str(it) for it in row[:5]) for row in rows]
        alice = str(ALICE.id)
        self.assertEqual(
            [
                (fixed, server, port, None, alice),
                (floating, None, None, made["id"], alice),
                (floating, server, port, made["id"], alice),
                (floating, None, None, made["id"], alice),
            ],
            ids,
        )
        self.assertEqual([True] * 4, [row[5] for row in rows])
