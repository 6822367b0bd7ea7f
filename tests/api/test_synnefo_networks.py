"""``/networks`` of the compute API's older versions, as Synnefo has it."""

from typing import Any
from uuid import UUID, uuid4

from snf.core.order import Kind
from snf.core.server import Life, Observed
from snf.storage import networks, orders
from snf.testing.world import ADMIN, ALICE, BOB, EXTERNAL, NETWORK, PROJECT_A, READER
from tests.api.case import SERVERS, ApiTestCase, Reply
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
            (400, {"cidr": "2001:db8::/64"}),
            (400, {"gateway": "x"}),
            (400, {"gateway": "10.0.0.1"}),
            (400, {"cidr6": "x"}),
            (400, {"cidr6": "192.168.1.0/24"}),
            (400, {"cidr6": "2001:db8::/48"}),
            (400, {"gateway6": "x", "cidr6": "2001:db8::/64"}),
        ):
            reply = self.ask("POST", "", {"name": "n", **wanted})
            self.assertEqual(code, reply.code, wanted)
            if code == 400:
                self.assertIn(f"for {next(iter(wanted))}.", reply.message)
        public = f"/{NETWORK.id}"
        self.assertEqual(403, self.ask("PUT", public, {"name": "mine"}).code)
        self.assertEqual(403, self.ask("DELETE", public).code)
        self.server()
        self.assertEqual(409, self.ask("DELETE", public, by=ADMIN).code)

    def test_public(self) -> None:
        """The oldest clients know the public network by a word, and cannot change it."""
        shown = self.ask("GET", "/public").json["network"]
        self.assertEqual((str(NETWORK.id), True), (shown["id"], shown["public"]))
        self.run_in(networks.add, EXTERNAL)
        self.assertEqual(shown, self.ask("GET", "/public").json["network"])
        self.assertEqual(403, self.ask("PUT", "/public", {"name": "mine"}).code)
        self.assertEqual(403, self.ask("DELETE", "/public").code)
        self.sql("UPDATE network SET deleted = now()")
        self.assertEqual(404, self.ask("GET", "/public").code)

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


class ActionTests(MakingTestCase):
    """``POST /networks/{id}/action``."""

    def setUp(self) -> None:
        super().setUp()
        self.network = self.made(name="lan")["id"]
        subnet = {"network_id": self.network, "cidr": "10.0.0.0/24"}
        reply = self.call("POST", "/network/v2.0/subnets", {"subnet": subnet}, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        self.one = self.server()
        self.live(self.one, Life(Observed.UP))

    def ask(self, body: Any, by: Any = ALICE, network: str = "") -> Reply:
        """Ask for an action."""
        path = f"{PATH}/{network or self.network}/action"
        return self.call("POST", path, body, by=by)

    def attachments(self) -> list[str]:
        """Return the NICs on the network."""
        reply = self.call("GET", f"{PATH}/{self.network}", by=ALICE)
        return reply.json["network"]["attachments"]

    def ordered(self) -> list[Kind]:
        """Return what Ganeti is to do to the server."""
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", UUID(self.one))
        found = self.run_in(orders.of_servers, [number]).get(number, [])
        return [one.kind for one in found]

    def test_add(self) -> None:
        """The server gets a NIC with an address there, each time another one."""
        for count in (1, 2):
            reply = self.ask({"add": {"serverRef": self.one}})
            self.assertEqual((202, b""), (reply.code, reply.text))
            self.assertEqual(count, len(self.attachments()))
            self.assertEqual([Kind.ATTACH] * count, self.ordered())
        shown = self.shown(self.one)["addresses"]["lan"]
        self.assertEqual(["10.0.0.2", "10.0.0.3"], [one["addr"] for one in shown])

    def test_add_by_url(self) -> None:
        """A reference may be the whole URL of the server."""
        url = f"http://cloud.test/compute/v1.1/servers/{self.one}"
        self.assertEqual(202, self.ask({"add": {"serverRef": url}}).code)
        self.assertEqual(1, len(self.attachments()))

    def test_remove(self) -> None:
        """The NIC that is named goes, and of the oldest clients' server the only one."""
        self.ask({"add": {"serverRef": self.one}})
        self.ask({"add": {"serverRef": self.one}})
        several = self.ask({"remove": {"serverRef": self.one}})
        self.assertEqual(409, several.code)
        self.assertIn("attachment", several.message)
        [first, second] = self.attachments()
        self.assertEqual(202, self.ask({"remove": {"attachment": first}}).code)
        self.assertEqual(Kind.DETACH, self.ordered()[-1])
        self.sql("DELETE FROM port WHERE id = %s", UUID(first))
        self.assertEqual(202, self.ask({"remove": {"serverRef": self.one}}).code)
        [(left,)] = self.sql("SELECT id::text FROM port WHERE changing AND NOT kept")
        self.assertEqual(second, left)

    def test_not_there(self) -> None:
        """Who is not on the network does not leave it, and keeps all NICs."""
        [(other,)] = self.sql("SELECT id::text FROM port")
        loose = self.call(
            "POST",
            "/network/v2.0/ports",
            {"port": {"network_id": self.network}},
            by=ALICE,
        ).json["port"]["id"]
        for gone in (
            {"attachment": other},
            {"attachment": loose},
            {"attachment": str(uuid4())},
            {"attachment": "nic-42-1"},
            {"serverRef": self.one},
            {"serverRef": str(uuid4())},
            {"serverRef": "42"},
        ):
            self.assertEqual(404, self.ask({"remove": gone}).code, gone)
        self.assertEqual([], self.ordered())

    def test_refused(self) -> None:
        """Bodies that make no sense, and states that forbid it."""
        for body, named in (
            ({}, "add or remove"),
            ({"add": {"serverRef": self.one}, "remove": {"attachment": "x"}}, "add or"),
            ({"add": {}}, "add"),
            ({"add": {"serverRef": 42}}, "add.serverRef"),
            ({"remove": {}}, "remove: must have"),
            ({"remove": {"serverRef": self.one, "attachment": "x"}}, "remove: must"),
            ({"rename": {}}, "rename"),
        ):
            reply = self.ask(body)
            self.assertEqual(400, reply.code, (body, reply.text))
            self.assertIn(named, reply.message)
        built = self.server()
        self.assertEqual(409, self.ask({"add": {"serverRef": built}}).code)
        self.act(self.one, {"lock": None})
        self.live(self.one, Life(Observed.UP))
        self.assertEqual(409, self.ask({"add": {"serverRef": self.one}}, ALICE).code)

    def test_whose(self) -> None:
        """Others' servers and networks are not there, public ones for operators."""
        theirs = self.server(BOB)
        self.live(theirs, Life(Observed.UP))
        add = {"add": {"serverRef": self.one}}
        for body, by, network, code in (
            ({"add": {"serverRef": theirs}}, ALICE, "", 404),
            ({"add": {"serverRef": theirs}}, BOB, "", 404),
            (add, READER, "", 403),
            (add, ALICE, str(NETWORK.id), 403),
            (add, ALICE, str(uuid4()), 404),
            (add, ADMIN, str(NETWORK.id), 202),
        ):
            reply = self.ask(body, by, network)
            self.assertEqual(code, reply.code, (body, by.name, network, reply.text))


class AttachmentTests(ApiTestCase):
    """``attachments`` of servers, in Synnefo's versions of the API."""

    def nics(self, path: str, server: str) -> list[dict[str, Any]]:
        """Return those of a server, the same wherever they are shown."""
        alone = self.call("GET", f"{path}/{server}", by=ALICE).json["server"]
        detail = self.call("GET", f"{path}/detail", by=ALICE).json["servers"]
        [listed] = [one for one in detail if one["id"] == server]
        ips = self.call("GET", f"{path}/{server}/ips", by=ALICE).json
        self.assertEqual(alone["attachments"], listed["attachments"])
        self.assertEqual(alone["attachments"], ips["attachments"])
        return alone["attachments"]

    def test_shown(self) -> None:
        """NICs in their order, each with its network, its addresses and its profile."""
        nets = [{"uuid": str(NETWORK.id)}] * 2
        server = self.server(networks=nets)
        self.server()
        ports = self.sql(
            "SELECT p.id::text, p.mac::text FROM port p JOIN server s"
            " ON s.id = p.server_id WHERE s.uuid = %s ORDER BY p.position",
            UUID(server),
        )
        self.live(server, Life(Observed.UP))
        profile = {"profile": "ENABLED", "nic": ports[1][0]}
        self.act(server, {"firewallProfile": profile})
        expected = [
            {
                "id": port,
                "network_id": str(NETWORK.id),
                "mac_address": mac,
                "ipv4": address,
                "ipv6": "",
                "firewallProfile": word,
                "OS-EXT-IPS:type": "fixed",
            }
            for (port, mac), address, word in zip(
                ports,
                ("192.0.2.10", "192.0.2.11"),
                ("DISABLED", "ENABLED"),
                strict=True,
            )
        ]
        for path in ("/compute/v1.1/servers", "/compute/v2/servers"):
            self.assertEqual(expected, self.nics(path, server))

    def test_none(self) -> None:
        """A server without NICs, and a deleted one, have none."""
        server = self.server(networks=[])
        self.assertNotEqual([], self.nics("/compute/v2/servers", server))
        bare = self.call(
            "POST",
            SERVERS,
            {
                "server": {
                    "name": "bare",
                    "flavorRef": self.shown(server)["flavor"]["id"],
                    "imageRef": self.shown(server)["image"]["id"],
                    "networks": "none",
                }
            },
            by=ALICE,
            version="2.37",
        ).json["server"]["id"]
        self.assertEqual([], self.nics("/compute/v2/servers", bare))
        self.live(bare, Life(Observed.GONE, deletion_asked=True))
        since = "?changes-since=2020-01-01T00:00:00Z"
        listed = self.call(
            "GET", f"/compute/v1.1/servers/detail{since}", by=ALICE
        ).json["servers"]
        [gone] = [one for one in listed if one["id"] == bare]
        self.assertEqual(("DELETED", []), (gone["status"], gone["attachments"]))

    def test_addresses(self) -> None:
        """Those on a network, by its id or the public one's word, of all NICs there."""
        server = self.server(networks=[{"uuid": str(NETWORK.id)}] * 2)
        self.run_in(networks.add, EXTERNAL)
        fixed = [
            {"version": 4, "addr": address, "OS-EXT-IPS:type": "fixed"}
            for address in ("192.0.2.10", "192.0.2.11")
        ]
        for path in ("/compute/v1.1/servers", "/compute/v2/servers"):
            for word in (str(NETWORK.id), "public"):
                reply = self.call("GET", f"{path}/{server}/ips/{word}", by=ALICE)
                self.assertEqual(200, reply.code, reply.text)
                self.assertEqual({"network": {str(NETWORK.id): fixed}}, reply.json)
            # By the name it is as in OpenStack's API, whose clients call it so.
            reply = self.call("GET", f"{path}/{server}/ips/default", by=ALICE)
            self.assertEqual(["default"], [*reply.json])
            for word in (str(EXTERNAL.id), str(uuid4()), "nothing"):
                reply = self.call("GET", f"{path}/{server}/ips/{word}", by=ALICE)
                self.assertEqual(404, reply.code, word)
        for word in (str(NETWORK.id), "public"):
            reply = self.call("GET", f"{SERVERS}/{server}/ips/{word}", by=ALICE)
            self.assertEqual(404, reply.code, word)

    def test_openstack(self) -> None:
        """What OpenStack's version shows is OpenStack's."""
        server = self.server()
        self.assertNotIn("attachments", self.shown(server))
        ips = self.call("GET", f"{SERVERS}/{server}/ips", by=ALICE).json
        self.assertEqual(["addresses"], [*ips])

    def test_renamed(self) -> None:
        """The answer to a change shows them too."""
        server = self.server()
        path = f"/compute/v2/servers/{server}"
        shown = self.call("PUT", path, {"server": {"name": "n"}}, by=ALICE).json
        self.assertEqual(1, len(shown["server"]["attachments"]))
