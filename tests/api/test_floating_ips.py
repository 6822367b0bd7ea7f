"""``/network/v2.0/floatingips``."""

from typing import Any
from uuid import uuid4

from snf.core.quota import Resource
from snf.storage import floating_ips, holders, networks, quotas, subnets
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
