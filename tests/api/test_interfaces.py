"""Interfaces of servers, and ports by themselves: made, attached, detached, deleted."""

from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.core.naming import nic_name
from snf.core.order import End, Order
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Life, Observed
from snf.storage import lives, orders, quotas
from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, PROJECT_A, SUBNET
from tests.api.case import SERVERS, ApiTestCase, Reply

PORTS = "/network/v2.0/ports"
UP = Life(Observed.UP)


class InterfaceTestCase(ApiTestCase):
    """A test with a server that runs."""

    def setUp(self) -> None:
        super().setUp()
        self.one = self.server()
        self.live(self.one, UP)

    def attach(
        self, version: str | None = None, by: Any = ALICE, **asked: Any
    ) -> Reply:
        """Ask for an interface."""
        path = f"{SERVERS}/{self.one}/os-interface"
        body = {"interfaceAttachment": asked}
        return self.call("POST", path, body, by=by, version=version)

    def attached(self, **asked: Any) -> dict[str, Any]:
        reply = self.attach(**asked)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["interfaceAttachment"]

    def interfaces(self, version: str | None = None) -> list[dict[str, Any]]:
        path = f"{SERVERS}/{self.one}/os-interface"
        return self.call("GET", path, by=ALICE, version=version).json[
            "interfaceAttachments"
        ]

    def detach(self, port: str) -> Reply:
        path = f"{SERVERS}/{self.one}/os-interface/{port}"
        return self.call("DELETE", path, by=ALICE)

    def make(self, by: Any = ALICE, **asked: Any) -> Reply:
        """Ask for a port."""
        body = {"port": {"network_id": str(NETWORK.id), **asked}}
        return self.call("POST", PORTS, body, by=by)

    def made(self, **asked: Any) -> dict[str, Any]:
        reply = self.make(**asked)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["port"]

    def ordered(self) -> list[Order]:
        """Return the server's open orders."""
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", UUID(self.one))
        return self.run_in(orders.of_servers, [number]).get(number, [])

    def carried_out(self) -> None:
        """Let Ganeti have done all that is asked of it."""
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", UUID(self.one))

        def end(txn: Any) -> None:
            before = lives.load(txn, [number])
            done = tuple(
                one.ended(None, 1, End(1.0, live=True)) for one in before[number].orders
            )
            lives.save(txn, before, {number: evolve(before[number], orders=done)})

        self.run_in(end)

    def counted(self) -> None:
        """What counts is what there is."""
        counted = self.run_in(quotas.counted)
        used = self.run_in(quotas.used, PROJECT_A.id)
        for one in (Resource.PORTS, Resource.FIXED_IPS):
            self.assertEqual(counted.get((PROJECT_A.id, one), 0), used[one])


class AttachTests(InterfaceTestCase):
    """``POST /servers/{id}/os-interface``."""

    def test_network(self) -> None:
        """On a network: a port is made, and an order that says all of its NIC."""
        for asked, address in (
            ({"net_id": str(NETWORK.id)}, "192.0.2.11"),
            ({}, "192.0.2.12"),
            (
                {
                    "net_id": str(NETWORK.id),
                    "fixed_ips": [{"ip_address": "192.0.2.99"}],
                },
                "192.0.2.99",
            ),
        ):
            shown = self.attached(**asked)
            self.assertEqual(
                [{"subnet_id": str(SUBNET.id), "ip_address": address}],
                shown["fixed_ips"],
            )
            self.assertEqual("BUILD", shown["port_state"])
            nic = self.ordered()[-1].nic
            assert nic is not None
            self.assertEqual(
                (nic_name(UUID(shown["port_id"])), shown["mac_addr"], address),
                (nic.name, nic.mac, nic.ip),
            )
            self.assertEqual(NETWORK.id, nic.network)
        self.assertEqual(4, len(self.interfaces()))
        self.assertIsNone(self.shown(self.one)["OS-EXT-STS:task_state"])
        self.counted()

    def test_port(self) -> None:
        """A port that is there; not one that is in use, nor somebody else's."""
        port = self.made(name="mine")["id"]
        self.attached(port_id=port)
        reply = self.attach(port_id=port)
        self.assertEqual(
            (409, f"Port {port} is still in use."), (reply.code, reply.message)
        )
        theirs = self.make(by=BOB).json["port"]["id"]
        for other in (theirs, str(uuid4()), "x"):
            self.assertEqual(404, self.attach(port_id=other).code)

    def test_refused(self) -> None:
        """What makes no sense changes nothing."""
        net = str(NETWORK.id)
        before = self.sql("SELECT count(*) FROM port")
        for asked, code, word in (
            ({"net_id": net, "port_id": net}, 400, "both"),
            ({"fixed_ips": [{"ip_address": "192.0.2.50"}]}, 400, "network_id"),
            ({"net_id": net, "fixed_ips": [{"ip_address": "x"}]}, 400, "not an IP"),
            (
                {"net_id": net, "fixed_ips": [{"ip_address": "198.51.100.1"}]},
                400,
                "not a valid IP",
            ),
            (
                {"net_id": net, "fixed_ips": [{"ip_address": "192.0.2.10"}]},
                409,
                "in use",
            ),
            ({"net_id": net, "fixed_ips": [{"ip_address": "192.0.2.1"}]}, 400, "valid"),
            ({"net_id": str(uuid4())}, 404, "could not be found"),
            ({"net_id": net, "tag": "t"}, 400, "tag"),
        ):
            reply = self.attach(**asked)
            self.assertEqual(code, reply.code, (asked, reply.text))
            self.assertIn(word, reply.message)
        self.assertEqual(before, self.sql("SELECT count(*) FROM port"))

    def test_too_many(self) -> None:
        """The ninth interface is refused."""
        for _ in range(7):
            self.attached()
        reply = self.attach()
        self.assertEqual(403, reply.code)
        self.assertIn("8 interfaces at most", reply.message)

    def test_state(self) -> None:
        """A server that is being built or is locked gets none."""
        self.live(self.one, Life(Observed.BUILD))
        self.assertEqual(409, self.attach().code)
        self.live(self.one, UP)
        self.act(self.one, {"lock": None})
        self.assertEqual(409, self.attach().code)
        self.assertEqual(200, self.attach(by=ADMIN).code)

    def test_quota(self) -> None:
        """A project has as many as it may."""
        limits = dict(NO_LIMITS) | {Resource.PORTS: 1}
        self.builder = evolve(self.builder, limits=limits)
        self.site = self.new_site(limits)
        for reply in (self.attach(), self.make()):
            self.assertEqual(403, reply.code, reply.text)
            self.assertIn("Quota exceeded for ports", reply.message)
        self.counted()

    def test_tag(self) -> None:
        """Tags are given from 2.49 on and shown from 2.70 on."""
        reply = self.attach("2.70", net_id=str(NETWORK.id), tag="uplink")
        self.assertEqual("uplink", reply.json["interfaceAttachment"]["tag"])
        self.assertEqual(
            [None, "uplink"], [one["tag"] for one in self.interfaces("2.70")]
        )
        self.assertNotIn("tag", self.interfaces()[0])

    def test_action(self) -> None:
        """It is among the server's actions."""
        self.attached()
        path = f"{SERVERS}/{self.one}/os-instance-actions"
        [newest, *_] = self.call("GET", path, by=ALICE).json["instanceActions"]
        self.assertEqual("interface_attach", newest["action"])


class DetachTests(InterfaceTestCase):
    """Interfaces that go."""

    def test_made_for_it(self) -> None:
        """A port made for the server goes with its NIC, and not before."""
        port = self.interfaces()[0]["port_id"]
        self.assertEqual(202, self.detach(port).code)
        self.assertEqual(202, self.detach(port).code)
        self.assertEqual(1, len(self.ordered()))
        self.assertEqual(1, len(self.interfaces()))
        self.assertEqual(
            [("192.0.2.10",)], self.sql("SELECT host(address) FROM address")
        )
        self.carried_out()
        self.assertEqual([], self.interfaces())
        self.assertEqual([], self.sql("SELECT 1 FROM port"))
        self.counted()
        self.assertEqual(404, self.detach(port).code)

    def test_made_by_itself(self) -> None:
        """One that was made by itself stays, with its address, and can be deleted."""
        port = self.made()["id"]
        self.attached(port_id=port)
        self.carried_out()
        self.detach(port)
        self.carried_out()
        shown = self.call("GET", f"{PORTS}/{port}", by=ALICE).json["port"]
        self.assertEqual(("DOWN", ""), (shown["status"], shown["device_id"]))
        self.assertEqual(1, len(shown["fixed_ips"]))
        self.assertEqual(204, self.call("DELETE", f"{PORTS}/{port}", by=ALICE).code)
        self.assertEqual(404, self.call("GET", f"{PORTS}/{port}", by=ALICE).code)
        self.counted()

    def test_port_deleted(self) -> None:
        """Deleting a port that is on a server waits for Ganeti."""
        port = self.made(device_id=self.one)["id"]
        self.carried_out()
        for _ in range(2):
            self.assertEqual(204, self.call("DELETE", f"{PORTS}/{port}", by=ALICE).code)
        self.assertEqual(200, self.call("GET", f"{PORTS}/{port}", by=ALICE).code)
        self.carried_out()
        self.assertEqual(404, self.call("GET", f"{PORTS}/{port}", by=ALICE).code)
        self.counted()

    def test_server_deleted(self) -> None:
        """With the server go the ports made for it, not the one made by itself."""
        port = self.made(device_id=self.one)["id"]
        self.carried_out()
        self.live(self.one, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual(
            [(UUID(port), None)], self.sql("SELECT id, server_id FROM port")
        )
        self.counted()

    def test_others(self) -> None:
        """Nobody detaches somebody else's."""
        port = self.interfaces()[0]["port_id"]
        path = f"{SERVERS}/{self.one}/os-interface/{port}"
        for method in ("GET", "DELETE"):
            self.assertEqual(404, self.call(method, path, by=BOB).code)


class PortTests(InterfaceTestCase):
    """``/v2.0/ports``."""

    def refused(self, code: int, kind: str, by: Any = ALICE, **asked: Any) -> None:
        reply = self.make(by, **asked)
        self.assertEqual(
            (code, kind), (reply.code, reply.json["NeutronError"]["type"]), reply.text
        )

    def test_made(self) -> None:
        """With an address or a subnet named, without any, with a MAC address."""
        mac = "02:00:00:00:00:01"
        for asked, addresses in (
            ({}, ["192.0.2.11"]),
            ({"fixed_ips": []}, []),
            ({"fixed_ips": [{"subnet_id": str(SUBNET.id)}]}, ["192.0.2.12"]),
            ({"fixed_ips": [{"ip_address": "192.0.2.250"}]}, ["192.0.2.250"]),
        ):
            shown = self.made(name="n", **asked)
            found = [one["ip_address"] for one in shown["fixed_ips"]]
            self.assertEqual(addresses, found)
            self.assertEqual(
                ("n", "DOWN", ""), (shown["name"], shown["status"], shown["device_id"])
            )
        self.assertEqual(
            mac, self.make(ADMIN, mac_address=mac).json["port"]["mac_address"]
        )
        self.refused(409, "MacAddressInUse", ADMIN, mac_address=mac)
        self.refused(403, "PolicyNotAuthorized", mac_address=mac)
        self.counted()

    def test_refused(self) -> None:
        """Wrong addresses and networks, by Neutron's names."""
        self.refused(409, "IpAddressInUse", fixed_ips=[{"ip_address": "192.0.2.10"}])
        self.refused(400, "InvalidIpForNetwork", fixed_ips=[{"ip_address": "10.0.0.1"}])
        self.refused(
            400,
            "InvalidIpForSubnet",
            fixed_ips=[{"ip_address": "10.0.0.1", "subnet_id": str(SUBNET.id)}],
        )
        self.refused(400, "InvalidInput", fixed_ips=[{"subnet_id": str(uuid4())}])
        self.refused(400, "InvalidInput", fixed_ips=[{"ip_address": "x"}])
        self.refused(404, "NetworkNotFound", network_id=str(uuid4()))
        self.refused(400, "InvalidInput", network_id="x")

    def test_bulk(self) -> None:
        """Several at once, all or none."""
        one = {"network_id": str(NETWORK.id)}
        reply = self.call("POST", PORTS, {"ports": [one, one]}, by=ALICE)
        self.assertEqual(2, len(reply.json["ports"]))
        bad = {**one, "fixed_ips": [{"ip_address": "10.0.0.1"}]}
        reply = self.call("POST", PORTS, {"ports": [one, bad]}, by=ALICE)
        self.assertEqual(400, reply.code)
        self.assertEqual([(3,)], self.sql("SELECT count(*) FROM port"))
        for body in ({}, {"port": one, "ports": [one]}):
            self.assertEqual(400, self.call("POST", PORTS, body, by=ALICE).code)

    def test_update(self) -> None:
        """Another name and other addresses; not of one that is on a server."""
        port = self.made()["id"]
        path = f"{PORTS}/{port}"
        wanted = [{"ip_address": "192.0.2.11"}, {"ip_address": "192.0.2.40"}]
        body = {"port": {"name": "new", "fixed_ips": wanted}}
        shown = self.call("PUT", path, body, by=ALICE).json["port"]
        self.assertEqual("new", shown["name"])
        self.assertEqual(
            ["192.0.2.11", "192.0.2.40"],
            [one["ip_address"] for one in shown["fixed_ips"]],
        )
        self.counted()
        on = {"port": {"device_id": self.one}}
        shown = self.call("PUT", path, on, by=ALICE).json["port"]
        self.assertEqual((self.one, "BUILD"), (shown["device_id"], shown["status"]))
        reply = self.call("PUT", path, {"port": {"fixed_ips": []}}, by=ALICE)
        self.assertEqual(
            (409, "PortInUse"), (reply.code, reply.json["NeutronError"]["type"])
        )
        self.carried_out()
        self.call("PUT", path, {"port": {"device_id": ""}}, by=ALICE)
        self.carried_out()
        self.assertEqual("", self.call("GET", path, by=ALICE).json["port"]["device_id"])
        self.assertEqual(404, self.call("PUT", path, body, by=BOB).code)


class CreateTests(ApiTestCase):
    """``networks`` of a new server."""

    def test_port_and_address(self) -> None:
        """A port that is there, and an address on a network."""
        body = {"port": {"network_id": str(NETWORK.id)}}
        port = self.call("POST", PORTS, body, by=ALICE).json["port"]["id"]
        server = self.server(
            networks=[
                {"port": port},
                {"uuid": str(NETWORK.id), "fixed_ip": "192.0.2.77"},
            ]
        )
        shown = self.shown(server)["addresses"]["default"]
        self.assertEqual(["192.0.2.10", "192.0.2.77"], [one["addr"] for one in shown])
        counted = self.run_in(quotas.counted)
        used = self.run_in(quotas.used, PROJECT_A.id)
        self.assertEqual(2, used[Resource.PORTS])
        self.assertEqual(counted[PROJECT_A.id, Resource.PORTS], used[Resource.PORTS])

    def test_refused(self) -> None:
        """What there is not, what is taken, and what several cannot have."""
        net = str(NETWORK.id)
        self.server()
        before = self.sql("SELECT count(*) FROM server")
        for wish, code, more in (
            ({}, 400, {}),
            ({"port": str(uuid4())}, 400, {}),
            ({"uuid": net, "fixed_ip": "x"}, 400, {}),
            ({"uuid": net, "fixed_ip": "192.0.2.10"}, 409, {}),
            ({"uuid": net, "fixed_ip": "10.0.0.1"}, 400, {}),
            ({"uuid": net, "fixed_ip": "192.0.2.66"}, 400, {"min_count": 2}),
            ({"uuid": net, "tag": "t"}, 400, {}),
        ):
            reply = self.create(networks=[wish], **more)
            self.assertEqual(code, reply.code, (wish, reply.text))
        self.assertEqual(before, self.sql("SELECT count(*) FROM server"))
