"""What lets something in to single ports: their groups, or Synnefo's profiles."""

from typing import Any
from uuid import uuid4

from snf.core.firewall import Offered
from snf.testing.world import ALICE, BOB, NETWORK
from tests.api.case import SERVERS, Reply
from tests.api.test_security_groups import V2, GroupCase


class PortTests(GroupCase):
    """Ports that are in groups of their own."""

    def port(self, **more: Any) -> dict[str, Any]:
        """Return a new port."""
        body = {"port": {"network_id": str(NETWORK.id), **more}}
        reply = self.call("POST", f"{V2}/ports", body, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["port"]

    def test_found(self) -> None:
        """They are found by their groups."""
        group, other = (self.group(name)["id"] for name in ("one", "other"))
        port = self.port(security_groups=[group])["id"]
        for wanted, found in ((group, [{"id": port}]), (other, [])):
            query = f"security_groups={wanted}&fields=id"
            reply = self.call("GET", f"{V2}/ports?{query}", by=ALICE)
            self.assertEqual({"ports": found}, reply.json)

    def put(self, port: str, groups: Any) -> Reply:
        """Ask for other groups of a port."""
        body = {"port": {"security_groups": groups}}
        return self.call("PUT", f"{V2}/ports/{port}", body, by=ALICE)

    def test_made(self) -> None:
        """A new port is in the groups that are named, in none, or in the default one."""
        group = self.group()["id"]
        for more, expected in (
            ({}, [self.default()["id"]]),
            ({"security_groups": [group, group]}, [group]),
            ({"security_groups": []}, []),
            ({"security_groups": None}, []),
        ):
            self.assertEqual(expected, self.port(**more)["security_groups"])

    def test_changed(self) -> None:
        """A port of a running server changes its groups, and Ganeti follows."""
        group = self.group()["id"]
        server = self.running()
        [(port,)] = self.sql("SELECT id FROM port")
        reply = self.put(str(port), [group])
        self.assertEqual([group], reply.json["port"]["security_groups"], reply.text)
        self.assertEqual([server], self.firewalls())
        query = f"security_groups={group}&fields=id"
        found = self.call("GET", f"{V2}/ports?{query}", by=ALICE).json["ports"]
        self.assertEqual([{"id": str(port)}], found)

    def test_refused(self) -> None:
        """Groups that are not there, or somebody else's."""
        port = self.port()["id"]
        for group in (self.group(by=BOB)["id"], str(uuid4()), "nonsense"):
            reply = self.put(port, [group])
            self.assertEqual(404, reply.code)
            self.assertEqual(
                "SecurityGroupNotFound", reply.json["NeutronError"]["type"]
            )
            self.assertIn(group, reply.message)

    def test_attached(self) -> None:
        """The tags of a port that is not open are there before its NIC is."""
        server = self.running()
        number = self.sql("SELECT id FROM server")[0][0]
        for port in (self.port(), self.port(security_groups=[])):
            body = {"interfaceAttachment": {"port_id": port["id"]}}
            path = f"{SERVERS}/{server}/os-interface"
            self.assertEqual(200, self.call("POST", path, body, by=ALICE).code)
        kinds = self.sql(
            "SELECT kind FROM orders WHERE server_id = %s AND state = 'new'"
            " ORDER BY number",
            number,
        )
        self.assertEqual([("attach",), ("firewall",), ("attach",)], kinds)

    def test_given(self) -> None:
        """A port that a server is made with keeps its own groups, as with Nova."""
        group = self.group()["id"]
        port = self.port(security_groups=[group])["id"]
        server = self.server(
            networks=[{"port": port}], security_groups=[{"name": "default"}]
        )
        names = [one["name"] for one in self.shown(server)["security_groups"]]
        self.assertEqual(["web"], names)


class ProfileTests(GroupCase):
    """``firewallProfile``."""

    def profile(self, server: str, **more: Any) -> Reply:
        return self.act(server, {"firewallProfile": more})

    def kept(self, server: str) -> list[str | None]:
        rows = self.sql(
            "SELECT p.profile FROM port p JOIN server s ON s.id = p.server_id"
            " WHERE s.uuid = %s ORDER BY p.position",
            server,
        )
        return [word for (word,) in rows]

    def test_words(self) -> None:
        """Synnefo's words, and those of the operator's own profiles."""
        self.builder = type(self.builder)(firewall=Offered(added=("web",)))
        self.site = self.new_site()
        server = self.running()
        for name, word in (
            ("ENABLED", "protected"),
            ("PROTECTED", "limited"),
            ("DISABLED", "unprotected"),
            ("WEB", "web"),
        ):
            self.assertEqual(202, self.profile(server, profile=name).code)
            self.assertEqual([word], self.kept(server))
        self.assertEqual([server], self.firewalls())

    def test_nic(self) -> None:
        """A NIC is named by its id; without one it is the first."""
        networks = [{"uuid": str(NETWORK.id)}] * 2
        server = self.running(networks=networks)
        ports = self.sql("SELECT id FROM port ORDER BY position")
        nic = str(ports[1][0])
        self.assertEqual(202, self.profile(server, profile="ENABLED", nic=nic).code)
        self.assertEqual([None, "protected"], self.kept(server))
        self.assertEqual(202, self.profile(server, profile="ENABLED").code)
        self.assertEqual(["protected"] * 2, self.kept(server))

    def test_refused(self) -> None:
        """Unknown profiles and NICs, and bodies that make no sense."""
        server = self.running()
        self.running()
        others = self.sql("SELECT id FROM port ORDER BY id")
        for more, code in (
            ({"profile": "enabled"}, 400),
            ({"profile": "RULES"}, 400),
            ({"profile": None}, 400),
            ({}, 400),
            ({"profile": "ENABLED", "nic": []}, 400),
            ({"profile": "ENABLED", "x": 1}, 400),
            ({"profile": "ENABLED", "nic": "nonsense"}, 404),
            ({"profile": "ENABLED", "nic": str(uuid4())}, 404),
        ):
            self.assertEqual(code, self.profile(server, **more).code, more)
        codes = {
            self.profile(server, profile="ENABLED", nic=str(port)).code
            for (port,) in others
        }
        self.assertEqual({202, 404}, codes)

    def test_then_groups(self) -> None:
        """Whatever was asked for last holds: a profile, or the groups."""
        self.group()
        server = self.running()
        self.profile(server, profile="ENABLED")
        self.act(server, {"addSecurityGroup": {"name": "web"}})
        self.assertEqual([None], self.kept(server))
