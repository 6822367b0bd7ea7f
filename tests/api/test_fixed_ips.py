"""``addFixedIp`` and ``removeFixedIp``."""

from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.core.order import Kind
from snf.core.server import Life, Observed
from snf.core.subnet import Pool
from snf.storage import networks, subnets
from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, READER, SUBNET
from tests.api.case import SERVERS, Reply
from tests.api.test_interfaces import InterfaceTestCase

LAST, GONE = "2.43", "2.44"


class FixedIpTests(InterfaceTestCase):
    """Interfaces that come and go with an address."""

    def add(self, network: Any = str(NETWORK.id), by: Any = ALICE) -> Reply:
        """Ask for an address on a network."""
        return self.ask({"addFixedIp": {"networkId": network}}, by)

    def remove(self, address: Any, by: Any = ALICE) -> Reply:
        """Ask for an address to go."""
        return self.ask({"removeFixedIp": {"address": address}}, by)

    def ask(self, body: Any, by: Any = ALICE, version: str = LAST) -> Reply:
        path = f"{SERVERS}/{self.one}/action"
        return self.call("POST", path, body, by=by, version=version)

    def addresses(self) -> list[str]:
        """Return the addresses of the server."""
        shown = self.shown(self.one)["addresses"]["default"]
        return [one["addr"] for one in shown]

    def test_there_and_back(self) -> None:
        """An interface comes with an address, and goes when that is to go."""
        reply = self.add()
        self.assertEqual((202, b""), (reply.code, reply.text))
        self.assertEqual(["192.0.2.10", "192.0.2.11"], self.addresses())
        self.assertEqual([Kind.ATTACH], [one.kind for one in self.ordered()])
        self.carried_out()
        self.assertEqual(202, self.remove("192.0.2.11").code)
        [order] = self.ordered()
        assert order.nic is not None
        self.assertEqual(Kind.DETACH, order.kind)
        self.carried_out()
        self.assertEqual(["192.0.2.10"], self.addresses())
        self.counted()

    def test_kept(self) -> None:
        """A port that was made by itself stays, with its address."""
        port = self.made()
        self.attached(port_id=port["id"])
        self.carried_out()
        self.assertEqual(202, self.remove(port["fixed_ips"][0]["ip_address"]).code)
        self.carried_out()
        shown = self.call("GET", f"/network/v2.0/ports/{port['id']}", by=ALICE).json
        self.assertEqual(
            ("", port["fixed_ips"]),
            (shown["port"]["device_id"], shown["port"]["fixed_ips"]),
        )

    def test_versions(self) -> None:
        """From 2.44 on there are no such actions."""
        for body in (
            {"addFixedIp": {"networkId": str(NETWORK.id)}},
            {"removeFixedIp": {"address": "192.0.2.10"}},
        ):
            self.assertEqual(404, self.ask(body, version=GONE).code)
        self.assertEqual([], self.ordered())

    def test_none_left(self) -> None:
        """Where a network has no address to give it is a 400, as with Nova."""
        bare, narrow = (
            evolve(NETWORK, id=uuid4(), name=name, is_default=False)
            for name in ("bare", "narrow")
        )
        one = (Pool(ip_address("192.0.2.210"), ip_address("192.0.2.210")),)
        for network in (bare, narrow):
            self.run_in(networks.add, network)
        subnet = evolve(SUBNET, id=uuid4(), network=narrow.id, pools=one)
        self.run_in(subnets.add, subnet)
        self.made(network_id=str(narrow.id))
        for network in (bare.id, narrow.id):
            reply = self.add(str(network))
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn(str(network), reply.message)
        self.assertEqual([], self.ordered())

    def test_refused(self) -> None:
        """What makes no sense is refused, and changes nothing."""
        net = str(NETWORK.id)
        for body, code, named in (
            ({"addFixedIp": None}, 400, "addFixedIp.networkId"),
            ({"addFixedIp": {}}, 400, "addFixedIp.networkId"),
            ({"addFixedIp": {"networkId": 5}}, 400, "addFixedIp.networkId"),
            ({"addFixedIp": {"networkId": net, "x": 1}}, 400, "addFixedIp.networkId"),
            ({"addFixedIp": {"networkId": str(uuid4())}}, 404, "could not be found"),
            ({"addFixedIp": {"networkId": "x\0"}}, 404, "could not be found"),
            ({"removeFixedIp": []}, 400, "removeFixedIp.address"),
            ({"removeFixedIp": {"address": None}}, 400, "removeFixedIp.address"),
            ({"removeFixedIp": {"address": "x"}}, 400, "removeFixedIp.address"),
            ({"removeFixedIp": {"address": "fe80::1%x"}}, 400, "removeFixedIp.address"),
            ({"removeFixedIp": {"address": "192.0.2.77"}}, 400, "fixed IP"),
        ):
            reply = self.ask(body)
            self.assertEqual(code, reply.code, (body, reply.text))
            self.assertIn(named, reply.message)
        self.assertEqual([], self.ordered())

    def test_state(self) -> None:
        """A state that forbids it is a 409, and so is a lock."""
        self.live(self.one, Life(Observed.BUILD))
        self.assertEqual(409, self.add().code)
        self.live(self.one, Life(Observed.UP))
        self.act(self.one, {"lock": None}, by=ADMIN)
        self.assertEqual(409, self.remove("192.0.2.10").code)

    def test_whose(self) -> None:
        """Others' servers, and addresses of other servers, are not there."""
        for by, code in ((BOB, 404), (READER, 403)):
            self.assertEqual(code, self.add(by=by).code)
            self.assertEqual(code, self.remove("192.0.2.10", by).code)
        other = self.server(BOB)
        [(address,)] = self.sql(
            "SELECT host(a.address) FROM address a JOIN port p ON p.id = a.port_id"
            " JOIN server s ON s.id = p.server_id WHERE s.uuid = %s",
            UUID(other),
        )
        self.assertEqual(400, self.remove(address).code)
