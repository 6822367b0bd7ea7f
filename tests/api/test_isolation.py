"""Who sees and may do what: projects are kept apart, roles are kept to."""

from uuid import uuid4

from attrs import evolve

from snf.core.server import Life, Observed
from snf.storage import networks, subnets
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    NETWORK,
    PROJECT_A,
    READER,
    SMALL,
    SUBNET,
    TINY,
)
from tests.api.case import SERVERS, ApiTestCase


class StrangerTests(ApiTestCase):
    """What belongs to a project is not there for others."""

    def setUp(self) -> None:
        super().setUp()
        self.id = self.server()
        self.live(self.id, Life(Observed.UP))

    def test_not_listed(self) -> None:
        """Others' servers are in no list, whatever the filter."""
        for query in ("", "?name=web", "?status=ACTIVE", "?changes-since=2020-01-01"):
            for path in (SERVERS, f"{SERVERS}/detail"):
                reply = self.call("GET", path + query, by=BOB)
                if reply.code != 304:
                    self.assertEqual([], reply.json["servers"], query)

    def test_not_there(self) -> None:
        """Whatever is done to others' servers is the 404 of servers that are not."""
        missing = str(uuid4())
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {"server": {"name": "mine"}}),
            ("DELETE", "", None),
            ("POST", "/action", {"os-stop": None}),
            ("POST", "/action", {"reboot": {"type": "HARD"}}),
        ):
            theirs = self.call(method, f"{SERVERS}/{self.id}{path}", body, by=BOB)
            none = self.call(method, f"{SERVERS}/{missing}{path}", body, by=BOB)
            self.assertEqual(404, theirs.code)
            self.assertEqual(
                none.text.replace(missing.encode(), self.id.encode()), theirs.text
            )
        shown = self.shown(self.id)
        self.assertEqual(("web", "ACTIVE"), (shown["name"], shown["status"]))
        self.assertIsNone(shown["OS-EXT-STS:task_state"])

    def test_all_tenants(self) -> None:
        """Only admins may ask for everybody's."""
        reply = self.call("GET", f"{SERVERS}?all_tenants=1", by=BOB)
        self.assertEqual(403, reply.code)
        self.assertIn("all_tenants", reply.json["forbidden"]["message"])

    def test_ports(self) -> None:
        """Others' ports are not seen."""
        [port] = self.call("GET", "/network/v2.0/ports", by=ALICE).json["ports"]
        for query in ("", f"?device_id={self.id}", f"?id={port['id']}"):
            reply = self.call("GET", f"/network/v2.0/ports{query}", by=BOB)
            self.assertEqual([], reply.json["ports"])
        reply = self.call("GET", f"/network/v2.0/ports/{port['id']}", by=BOB)
        self.assertEqual(404, reply.code)

    def test_networks(self) -> None:
        """Others' networks and their subnets are not seen."""
        network = evolve(
            NETWORK, id=uuid4(), project=PROJECT_A.id, shared=False, is_default=False
        )
        subnet = evolve(SUBNET, id=uuid4(), network=network.id)
        self.run_in(networks.add, network)
        self.run_in(subnets.add, subnet)
        for kind, thing in (("networks", network), ("subnets", subnet)):
            path = f"/network/v2.0/{kind}"
            for user, seen in ((ALICE, True), (BOB, False)):
                listed = self.call("GET", path, by=user).json[kind]
                self.assertEqual(seen, str(thing.id) in [one["id"] for one in listed])
                code = self.call("GET", f"{path}/{thing.id}", by=user).code
                self.assertEqual(200 if seen else 404, code)


class AdminTests(ApiTestCase):
    """What an admin may do besides."""

    def test_all(self) -> None:
        """An admin sees everybody's servers when asking for them."""
        mine, alices = self.server(ADMIN, name="mine"), self.server(name="hers")
        listed = self.call("GET", SERVERS, by=ADMIN).json["servers"]
        self.assertEqual([mine], [server["id"] for server in listed])
        for query in ("all_tenants=1", "all_tenants=True", "all_tenants=true"):
            listed = self.call("GET", f"{SERVERS}?{query}", by=ADMIN).json["servers"]
            self.assertEqual({mine, alices}, {server["id"] for server in listed})

    def test_acts(self) -> None:
        """An admin may act on everybody's servers, which stay whose they are."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.assertEqual("ACTIVE", self.shown(server, ADMIN)["status"])
        rename = {"server": {"name": "renamed"}}
        path = f"{SERVERS}/{server}"
        self.assertEqual(200, self.call("PUT", path, rename, by=ADMIN).code)
        self.assertEqual(202, self.act(server, {"os-stop": None}, ADMIN).code)
        self.assertEqual(204, self.call("DELETE", path, by=ADMIN).code)
        self.assertEqual(str(PROJECT_A.id), self.shown(server)["tenant_id"])


class ReaderTests(ApiTestCase):
    """A reader sees the project and changes nothing."""

    def test_sees(self) -> None:
        """A reader sees the project's servers."""
        server = self.server()
        self.assertEqual("web", self.shown(server, READER)["name"])
        [listed] = self.call("GET", SERVERS, by=READER).json["servers"]
        self.assertEqual(server, listed["id"])

    def test_changes_nothing(self) -> None:
        """Whatever would change something is a 403 that names the role."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        new = {"name": "x", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        for method, path, body in (
            ("POST", "", {"server": new}),
            ("PUT", f"/{server}", {"server": {"name": "x"}}),
            ("DELETE", f"/{server}", None),
            ("POST", f"/{server}/action", {"os-stop": None}),
        ):
            reply = self.call(method, SERVERS + path, body, by=READER)
            self.assertEqual(403, reply.code, reply.text)
            self.assertIn("member", reply.json["forbidden"]["message"])
        self.assertEqual("ACTIVE", self.shown(server)["status"])


class UnscopedTests(ApiTestCase):
    """A token for no project holds no role, and so sees nothing."""

    def test_forbidden(self) -> None:
        """Compute, image and network are a 403 in their own shape."""
        headers = self.unscoped(ALICE)
        for path, shape in (
            (SERVERS, "forbidden"),
            (f"{SERVERS}/detail", "forbidden"),
            (f"{SERVERS}/{uuid4()}", "forbidden"),
            ("/compute/v2.1/flavors", "forbidden"),
            ("/compute/v2.1/images", "forbidden"),
            ("/image/v2/images", "message"),
            ("/network/v2.0/networks", "NeutronError"),
            ("/network/v2.0/ports", "NeutronError"),
            ("/network/v2.0/extensions", "NeutronError"),
        ):
            reply = self.call("GET", path, headers=headers)
            self.assertEqual(403, reply.code, (path, reply.text))
            self.assertIn(shape, reply.json)

    def test_of_an_admin(self) -> None:
        """So is an admin's unscoped token."""
        reply = self.call(
            "GET", f"{SERVERS}?all_tenants=1", headers=self.unscoped(ADMIN)
        )
        self.assertEqual(403, reply.code)

    def test_changes_nothing(self) -> None:
        """Nothing can be made or changed with it."""
        headers = self.unscoped(ALICE)
        server = self.server()
        new = {"name": "x", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        for method, path, body in (
            ("POST", "", {"server": new}),
            ("PUT", f"/{server}", {"server": {"name": "x"}}),
            ("DELETE", f"/{server}", None),
            ("POST", f"/{server}/action", {"os-stop": None}),
        ):
            reply = self.call(method, SERVERS + path, body, headers=headers)
            self.assertEqual(403, reply.code, reply.text)


class NobodyTests(ApiTestCase):
    """Without a token there are only the documents of discovery."""

    def test_unauthorized(self) -> None:
        """Everything else is Keystone's 401, before the body is even read."""
        for method, path in (
            ("GET", SERVERS),
            ("POST", SERVERS),
            ("PUT", f"{SERVERS}/x"),
            ("DELETE", f"{SERVERS}/x"),
            ("POST", f"{SERVERS}/x/action"),
            ("GET", "/compute/v2.1/flavors/x"),
            ("GET", "/compute/v2.1/images/detail"),
            ("GET", "/image/v2/images"),
            ("GET", "/network/v2.0/subnets"),
            ("GET", "/identity/v3/auth/tokens"),
        ):
            for headers in ({}, {"X-Auth-Token": "nonsense"}):
                if method in ("POST", "PUT") and headers:
                    continue
                reply = self.call(method, path, headers=headers, data=b"{")
                self.assertEqual(401, reply.code, (method, path, reply.text))
                self.assertEqual("Unauthorized", reply.json["error"]["title"])
                self.assertIn("Keystone uri=", reply.header("WWW-Authenticate") or "")
