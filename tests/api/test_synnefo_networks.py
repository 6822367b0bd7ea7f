"""``/networks`` of the compute API's older versions, as Synnefo has it."""

from typing import Any

from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, PROJECT_A
from tests.api.case import Reply
from tests.api.test_networks_admin import MakingTestCase

PATH = "/compute/v1.1/networks"


class SynnefoTests(MakingTestCase):
    """What kamaki and the old UI do."""

    def ask(self, method: str, more: str = "", body: Any = None, by=ALICE) -> Reply:
        """Ask for something."""
        network = None if body is None else {"network": body}
        return self.call(method, PATH + more, network, by=by)

    def test_life(self) -> None:
        """A network is made with a subnet, found, renamed and deleted."""
        reply = self.ask("POST", "", {"name": "lan", "type": "MAC_FILTERED"})
        self.assertEqual(202, reply.code, reply.text)
        network = reply.json["network"]
        expected = {
            "name": "lan",
            "type": "MAC_FILTERED",
            "status": "ACTIVE",
            "public": False,
            "tenant_id": str(PROJECT_A.id),
            "cidr": "192.168.1.0/24",
            "cidr6": None,
            "gateway": None,
            "gateway6": None,
            "dhcp": True,
            "attachments": [],
        }
        self.assertEqual(expected, {name: network[name] for name in expected})
        path = f"/{network['id']}"
        self.assertEqual({"network": network}, self.ask("GET", path).json)
        names = [one["name"] for one in self.ask("GET").json["networks"]]
        self.assertEqual({"default", "lan"}, set(names))
        self.assertIn(network, self.ask("GET", "/detail").json["networks"])
        self.assertEqual(404, self.ask("GET", path, by=BOB).code)
        self.assertEqual(204, self.ask("PUT", path, {"name": "other"}).code)
        self.assertEqual("other", self.ask("GET", path).json["network"]["name"])
        self.assertEqual(204, self.ask("DELETE", path).code)
        self.assertEqual(404, self.ask("GET", path).code)

    def test_both(self) -> None:
        """With gateways, and IPv6."""
        wanted = {
            "cidr": "10.0.0.0/24",
            "gateway": "10.0.0.1",
            "cidr6": "2001:db8::/64",
            "gateway6": "2001:db8::1",
            "dhcp": False,
        }
        network = self.ask("POST", "", {"name": "n", **wanted}).json["network"]
        self.assertEqual(wanted, {name: network[name] for name in wanted})

    def test_refused(self) -> None:
        """What is for operators is a 403, and what makes no sense a 400."""
        for code, wanted in (
            (403, {"public": True}),
            (403, {"type": "IP_LESS_ROUTED"}),
            (400, {"type": "nothing"}),
            (400, {"cidr": "x"}),
            (400, {"gateway": "10.0.0.1"}),
        ):
            reply = self.ask("POST", "", {"name": "n", **wanted})
            self.assertEqual(code, reply.code, wanted)
        public = f"/{NETWORK.id}"
        self.assertEqual(403, self.ask("PUT", public, {"name": "mine"}).code)
        self.assertEqual(403, self.ask("DELETE", public).code)
        self.server()
        self.assertEqual(409, self.ask("DELETE", public, by=ADMIN).code)

    def test_attachments(self) -> None:
        """The project's own ports on a network, and nobody else's."""
        self.server()
        [port] = self.sql("SELECT id::text FROM port")
        for user, expected in ((ALICE, list(port)), (BOB, [])):
            shown = self.ask("GET", f"/{NETWORK.id}", by=user).json["network"]
            self.assertEqual(expected, shown["attachments"])

    def test_tenants(self) -> None:
        """Nova's old names for them are there up to 2.35."""
        path = "/compute/v2.1/os-tenant-networks"
        [network] = self.call("GET", path, by=ALICE).json["networks"]
        self.assertEqual(
            {"id": str(NETWORK.id), "label": "default", "cidr": None}, network
        )
        self.assertEqual(404, self.call("GET", path, by=ALICE, version="2.36").code)
        self.assertEqual(404, self.call("GET", "/compute/v2.1/networks", by=ALICE).code)
