"""``/network/v2.0/floatingips``, and what the compute API has of floating IPs."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.core.order import End, Kind
from snf.core.quota import Resource
from snf.core.server import Life, Observed
from snf.storage import floating_ips, holders, lives, networks, quotas, subnets
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    EXTERNAL,
    EXTERNAL_SUBNET,
    NETWORK,
    PROJECT_A,
    PROJECT_B,
)
from tests.api.case import ApiTestCase, Reply

V2 = "/network/v2.0"
SERVERS = "/compute/v2.1/servers"
OLD = "/compute/v2.1"


class FloatingTestCase(ApiTestCase):
    """A test with an external network, which the nodes route."""

    def setUp(self) -> None:
        super().setUp()
        self.run_in(networks.add, EXTERNAL)
        self.run_in(subnets.add, EXTERNAL_SUBNET)

    def ask(self, method: str, path: str, by: Any = ALICE, **body: Any) -> Reply:
        """Ask the network API something about floating IPs."""
        sent = {"floatingip": body} if method in ("POST", "PUT") else None
        return self.call(method, f"{V2}/floatingips{path}", sent, by=by)

    def new(self, by: Any = ALICE, **body: Any) -> dict[str, Any]:
        """Return a new one."""
        reply = self.ask("POST", "", by, floating_network_id=str(EXTERNAL.id), **body)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["floatingip"]

    def routed(self, by: Any = ALICE) -> tuple[str, str, str]:
        """Return a new server on the external network: its id, port and address."""
        server = self.server(by, networks=[{"uuid": str(EXTERNAL.id)}])
        [(port, address)] = self.sql(
            "SELECT p.id, host(a.address) FROM port p JOIN server s"
            " ON s.id = p.server_id JOIN address a ON a.port_id = p.id"
            " WHERE s.uuid = %s",
            server,
        )
        return server, str(port), address

    def number(self, server: str) -> int:
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", server)
        return number

    def tags(self, server: str) -> set[str]:
        number = self.number(server)
        return set(self.run_in(floating_ips.tags, [number])[number])

    def carry_out(self, server: str) -> None:
        """Have Ganeti have carried out all orders of a server."""
        done = self.sql(
            "UPDATE orders SET state = 'done', ended = now() WHERE server_id = %s"
            " AND state <> 'done' RETURNING id",
            self.number(server),
        )
        self.run_in(holders.confirm, [order for (order,) in done])

    def claim(self, state: str = "submitting") -> None:
        """Have a submitter have begun with all orders that there are."""
        self.sql(
            "UPDATE orders SET state = %s, attempts = 1 WHERE state = 'new'", state
        )

    def taken(self, address: str) -> bool:
        return bool(self.sql("SELECT 1 FROM address WHERE address = %s", address))

    def refused(self, code: int, kind: str, reply: Reply) -> str:
        self.assertEqual((code, kind), (reply.code, reply.json["NeutronError"]["type"]))
        return reply.json["NeutronError"]["message"]


class OwnTests(FloatingTestCase):
    """Getting them, looking at them, giving them back."""

    def test_new(self) -> None:
        """It is from the network's pool, the project's own, and stands for nothing."""
        made = self.new(description="mine")
        self.assertEqual(made, self.ask("GET", f"/{made['id']}").json["floatingip"])
        self.assertEqual([made], self.ask("GET", "").json["floatingips"])
        for name in ("created_at", "updated_at", "id"):
            made.pop(name)
        self.assertEqual(
            {
                "tenant_id": str(PROJECT_A.id),
                "project_id": str(PROJECT_A.id),
                "description": "mine",
                "floating_network_id": str(EXTERNAL.id),
                "floating_ip_address": "203.0.113.10",
                "fixed_ip_address": None,
                "port_id": None,
                "router_id": None,
                "status": "DOWN",
                "qos_policy_id": None,
                "dns_domain": "",
                "dns_name": "",
                "port_forwardings": [],
                "port_details": None,
                "tags": [],
                "revision_number": 0,
            },
            made,
        )

    def test_others(self) -> None:
        """Another project neither sees nor changes it; an admin does."""
        made = self.new()
        path = f"/{made['id']}"
        self.assertEqual([], self.ask("GET", "", BOB).json["floatingips"])
        for method in ("GET", "PUT", "DELETE"):
            reply = self.ask(method, path, BOB)
            message = self.refused(404, "FloatingIPNotFound", reply)
            self.assertEqual(f"Floating IP {made['id']} could not be found.", message)
        self.assertEqual(200, self.ask("GET", path, ADMIN).code)
        self.assertEqual(204, self.ask("DELETE", path, ADMIN).code)

    def test_address(self) -> None:
        """An address may be asked for, whether from a pool or not, if it is free."""
        for address in ("203.0.113.50", "203.0.113.200"):
            made = self.new(floating_ip_address=address)
            self.assertEqual(address, made["floating_ip_address"])
            reply = self.ask(
                "POST",
                "",
                BOB,
                floating_network_id=str(EXTERNAL.id),
                floating_ip_address=address,
            )
            self.refused(409, "IpAddressAlreadyAllocated", reply)

    def test_not_both(self) -> None:
        """What a port has is no floating IP's, and the other way round."""
        _, _, address = self.routed()
        network = str(EXTERNAL.id)
        reply = self.ask(
            "POST", "", floating_network_id=network, floating_ip_address=address
        )
        self.refused(409, "IpAddressAlreadyAllocated", reply)
        self.assertNotEqual(address, self.new()["floating_ip_address"])

    def test_bad_address(self) -> None:
        """What cannot be anybody's address there is refused."""
        for text in ("203.0.113.0", "203.0.113.255", "203.0.113.1", "192.0.2.10"):
            reply = self.ask(
                "POST",
                "",
                floating_network_id=str(EXTERNAL.id),
                floating_ip_address=text,
            )
            self.refused(400, "BadRequest", reply)
        reply = self.ask(
            "POST", "", floating_network_id=str(EXTERNAL.id), floating_ip_address="x"
        )
        self.refused(400, "InvalidInput", reply)

    def test_network(self) -> None:
        """They are from external networks only."""
        for network in (str(NETWORK.id), str(uuid4()), "public"):
            reply = self.ask("POST", "", floating_network_id=network)
            message = self.refused(400, "BadRequest", reply)
            self.assertIn(f"Network {network} is not a valid external", message)

    def test_exhausted(self) -> None:
        """When a pool is empty that is said, and nothing is counted."""
        self.sql(
            "UPDATE allocation_pool SET last = first WHERE subnet_id = %s",
            EXTERNAL_SUBNET.id,
        )
        self.new()
        reply = self.ask("POST", "", floating_network_id=str(EXTERNAL.id))
        self.refused(400, "ExternalIpAddressExhausted", reply)
        self.assertEqual(1, len(self.ask("GET", "").json["floatingips"]))

    def test_quota(self) -> None:
        """There are as many as the project may have; one that goes makes room."""
        limit = {"quota": {"floatingip": 1}}
        self.call("PUT", f"{V2}/quotas/{PROJECT_A.id}", limit, by=ADMIN)
        made = self.new()
        reply = self.ask("POST", "", floating_network_id=str(EXTERNAL.id))
        message = self.refused(409, "OverQuota", reply)
        self.assertEqual("Quota exceeded for resources: ['floatingip'].", message)
        reply = self.call("POST", f"{OLD}/os-floating-ips", {}, by=ALICE)
        self.assertEqual(403, reply.code)
        shown = self.call("GET", f"{V2}/quotas/{PROJECT_A.id}/details", by=ALICE)
        expected = {"limit": 1, "used": 1, "reserved": 0}
        self.assertEqual(expected, shown.json["quota"]["floatingip"])
        self.ask("DELETE", f"/{made['id']}")
        self.new()
        self.assertEqual([], self.run_in(quotas.recount))
        self.assertEqual(
            1, self.run_in(quotas.used, PROJECT_A.id)[Resource.FLOATING_IPS]
        )

    def test_admin_for_others(self) -> None:
        """An admin may get one for a project; others for their own only."""
        made = self.new(by=ADMIN, project_id=str(PROJECT_B.id))
        self.assertEqual(str(PROJECT_B.id), made["project_id"])
        reply = self.ask(
            "POST",
            "",
            floating_network_id=str(EXTERNAL.id),
            tenant_id=str(PROJECT_B.id),
        )
        self.refused(403, "PolicyNotAuthorized", reply)

    def test_tags(self) -> None:
        """They have tags, and are found by them."""
        made = self.new()
        path = f"{V2}/floatingips/{made['id']}/tags"
        self.assertEqual(200, self.call("PUT", path, {"tags": ["t"]}, by=ALICE).code)
        for query, count in (("tags=t", 1), ("tags=u", 0), ("not-tags=t", 0)):
            found = self.ask("GET", f"?{query}").json["floatingips"]
            self.assertEqual(count, len(found), query)

    def test_filters(self) -> None:
        """Lists are narrowed by what there is to see."""
        _, port, fixed = self.routed()
        first, second = self.new(), self.new()
        self.ask("PUT", f"/{first['id']}", port_id=port)
        for query, found in (
            (f"port_id={port}", [first]),
            ("port_id=", [second]),
            (f"fixed_ip_address={fixed}", [first]),
            (f"floating_ip_address={second['floating_ip_address']}", [second]),
            (f"floating_network_id={EXTERNAL.id}&status=DOWN", [second]),
            ("status=ACTIVE", [first]),
            (f"floating_network_id={uuid4()}", []),
        ):
            shown = self.ask("GET", f"?{query}&fields=id").json["floatingips"]
            self.assertEqual([{"id": one["id"]} for one in found], shown, query)


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


class ComputeTests(FloatingTestCase):
    """Nova's floating IPs, in the versions that have them."""

    def act(self, server: str, version: str | None = None, **body: Any) -> Reply:
        """Ask something of a server."""
        return self.call(
            "POST", f"{SERVERS}/{server}/action", body, by=ALICE, version=version
        )

    def addresses(self, server: str) -> list[tuple[str, str]]:
        shown = self.call("GET", f"{SERVERS}/{server}", by=ALICE).json["server"]
        return [
            (one["addr"], one["OS-EXT-IPS:type"])
            for places in shown["addresses"].values()
            for one in places
        ]

    def test_actions(self) -> None:
        """Servers get and lose them, and show them among their addresses."""
        server, _, fixed = self.routed()
        floating = self.new()["floating_ip_address"]
        for body in ({}, {"fixed_address": fixed}):
            given = {"address": floating, **body}
            self.assertEqual(202, self.act(server, addFloatingIp=given).code)
            self.assertEqual(
                [(fixed, "fixed"), (floating, "floating")], self.addresses(server)
            )
            gone = self.act(server, removeFloatingIp={"address": floating})
            self.assertEqual(202, gone.code)
            self.assertEqual([(fixed, "fixed")], self.addresses(server))

    def test_refused(self) -> None:
        """What is not there, and not the server's, is said."""
        server, _, _ = self.routed()
        lonely = self.server(networks="none")
        mine, others = self.new(), self.new(by=BOB)
        address, other = (one["floating_ip_address"] for one in (mine, others))
        for target, name, argument, code in (
            (server, "addFloatingIp", {"address": other}, 404),
            (server, "addFloatingIp", {"address": "203.0.113.99"}, 404),
            (server, "addFloatingIp", {"address": "x"}, 400),
            (server, "addFloatingIp", {}, 400),
            (server, "addFloatingIp", None, 400),
            (server, "addFloatingIp", {"address": address, "more": address}, 400),
            (
                server,
                "addFloatingIp",
                {"address": address, "fixed_address": "10.0.0.1"},
                400,
            ),
            (lonely, "addFloatingIp", {"address": address}, 400),
            (server, "removeFloatingIp", {"address": address}, 409),
            (str(uuid4()), "addFloatingIp", {"address": address}, 404),
        ):
            reply = self.act(target, **{name: argument})
            self.assertEqual(code, reply.code, (name, argument, reply.text))

    def test_versions(self) -> None:
        """From 2.44 on there are no such actions, from 2.36 on no such lists."""
        server, _, _ = self.routed()
        address = {"address": self.new()["floating_ip_address"]}
        self.assertEqual(202, self.act(server, "2.43", addFloatingIp=address).code)
        self.assertEqual(404, self.act(server, "2.44", removeFloatingIp=address).code)
        for path in ("os-floating-ips", "os-floating-ip-pools"):
            for version, code in (("2.35", 200), ("2.36", 404)):
                reply = self.call("GET", f"{OLD}/{path}", by=ALICE, version=version)
                self.assertEqual(code, reply.code, (path, version))

    def test_own(self) -> None:
        """They are got from a pool, shown, and given back."""
        pools = self.call("GET", f"{OLD}/os-floating-ip-pools", by=ALICE)
        self.assertEqual({"floating_ip_pools": [{"name": "public"}]}, pools.json)
        place = f"{OLD}/os-floating-ips"
        for body in ({"pool": "public"}, {"pool": str(EXTERNAL.id)}, {}):
            made = self.call("POST", place, body, by=ALICE)
            self.assertEqual(200, made.code, made.text)
        one = made.json["floating_ip"]
        expected = {"ip": "203.0.113.12", "pool": "public"}
        expected |= {"id": one["id"], "fixed_ip": None, "instance_id": None}
        self.assertEqual(expected, one)
        server, _, fixed = self.routed()
        self.act(server, addFloatingIp={"address": one["ip"]})
        shown = self.call("GET", f"{place}/{one['id']}", by=ALICE).json["floating_ip"]
        self.assertEqual((server, fixed), (shown["instance_id"], shown["fixed_ip"]))
        self.assertEqual(
            202, self.call("DELETE", f"{place}/{one['id']}", by=ALICE).code
        )
        listed = self.call("GET", place, by=ALICE).json["floating_ips"]
        self.assertEqual(2, len(listed))
        for method, path in (("GET", one["id"]), ("DELETE", "x")):
            self.assertEqual(404, self.call(method, f"{place}/{path}", by=ALICE).code)
        reply = self.call("POST", place, {"pool": "nowhere"}, by=ALICE)
        self.assertEqual(404, reply.code)
