"""``/compute/*/servers/{id}``: showing, renaming and deleting one server."""

from uuid import UUID, uuid4

from snf.core.server import Fault, Life, Observed
from snf.testing.world import ADMIN, ALICE, BOB, CLUSTER, PROJECT_A, SMALL, TINY
from tests.api.case import NOW, ROOT, SERVERS, ApiTestCase, Reply


class ShowTests(ApiTestCase):
    """``GET /servers/{id}``."""

    def test_building(self) -> None:
        """A server that is being built has all that clients look for."""
        server = self.server(metadata={"a": "b"})
        shown = self.shown(server)
        links = [
            {"rel": "self", "href": f"{ROOT}{SERVERS}/{server}"},
            {"rel": "bookmark", "href": f"{ROOT}/compute/servers/{server}"},
        ]
        [(mac,)] = self.sql("SELECT mac::text FROM port")
        address = {
            "version": 4,
            "addr": "192.0.2.10",
            "OS-EXT-IPS:type": "fixed",
            "OS-EXT-IPS-MAC:mac_addr": mac,
        }
        for name in ("created", "updated"):
            self.assertRegex(shown.pop(name), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(
            {
                "id": server,
                "name": "web",
                "status": "BUILD",
                "tenant_id": str(PROJECT_A.id),
                "user_id": str(ALICE.id),
                "metadata": {"a": "b"},
                "hostId": "",
                "image": _reference("images", TINY.id),
                "flavor": _reference("flavors", SMALL.id),
                "addresses": {"default": [address]},
                "accessIPv4": "",
                "accessIPv6": "",
                "links": links,
                "OS-DCF:diskConfig": "MANUAL",
                "progress": 0,
                "OS-EXT-AZ:availability_zone": "nova",
                "config_drive": "",
                "key_name": None,
                "OS-SRV-USG:launched_at": None,
                "OS-SRV-USG:terminated_at": None,
                "security_groups": [{"name": "default"}],
                "OS-EXT-STS:task_state": "spawning",
                "OS-EXT-STS:vm_state": "building",
                "OS-EXT-STS:power_state": 0,
                "os-extended-volumes:volumes_attached": [],
                "suspended": False,
                "SNF:task_state": "SPAWNING",
            },
            shown,
        )

    def test_active(self) -> None:
        """A server that runs says since when, and on which (unnamed) host."""
        server = self.server()
        self.live(server, Life(Observed.UP, launched=NOW, clock=(NOW, 1)))
        shown = self.shown(server)
        self.assertEqual(
            ("ACTIVE", None, "active", 1, 100, "2027-01-15T08:00:00.000000"),
            (
                shown["status"],
                shown["OS-EXT-STS:task_state"],
                shown["OS-EXT-STS:vm_state"],
                shown["OS-EXT-STS:power_state"],
                shown["progress"],
                shown["OS-SRV-USG:launched_at"],
            ),
        )
        self.assertRegex(shown["hostId"], "^[0-9a-f]{56}$")
        self.assertNotIn("fault", shown)

    def test_failed(self) -> None:
        """A server whose build failed says why."""
        server = self.server()
        fault = Fault("No node has enough memory", NOW)
        self.live(server, Life(Observed.DOWN, fault=fault))
        shown = self.shown(server)
        self.assertEqual("ERROR", shown["status"])
        self.assertEqual(
            {
                "code": 500,
                "created": "2027-01-15T08:00:00Z",
                "message": "No node has enough memory",
            },
            shown["fault"],
        )

    def test_place(self) -> None:
        """Only admins see where a server is."""
        server = self.server()
        hidden = {
            "OS-EXT-SRV-ATTR:host",
            "OS-EXT-SRV-ATTR:instance_name",
            "OS-EXT-SRV-ATTR:hypervisor_hostname",
        }
        self.assertEqual(set(), hidden & set(self.shown(server)))
        shown = self.shown(server, ADMIN)
        [(number,)] = self.sql("SELECT id FROM server")
        self.assertEqual(f"snf-{number}", shown["OS-EXT-SRV-ATTR:instance_name"])
        self.assertEqual(CLUSTER.name, shown["OS-EXT-SRV-ATTR:host"])

    def test_written_otherwise(self) -> None:
        """An id may have capitals, no hyphens, and a slash after it."""
        server = self.server()
        for text in (server.upper(), UUID(server).hex, f"{server}/"):
            self.assertEqual(server, self.shown(text)["id"])

    def test_missing(self) -> None:
        """What is not there is a 404, also where no id is written."""
        for text in (str(uuid4()), "web", "%00", "..", "%F0%9F%90%87", "1"):
            reply = self.call("GET", f"{SERVERS}/{text}", by=ALICE)
            self.assertEqual(404, reply.code, text)
            self.assertIn("itemNotFound", reply.json)
        self.assertEqual(404, self.call("GET", f"{SERVERS}/a%2Fb", by=ALICE).code)

    def test_names_the_id(self) -> None:
        """The refusal names what was looked for."""
        reply = self.call("GET", f"{SERVERS}/web", by=ALICE)
        self.assertEqual("Instance web could not be found.", reply.message)


class RenameTests(ApiTestCase):
    """``PUT /servers/{id}``."""

    def rename(self, server: str, body) -> Reply:
        """Ask for another name."""
        return self.call("PUT", f"{SERVERS}/{server}", body, by=ALICE)

    def test_name(self) -> None:
        """The new name is answered, shown, and noted."""
        server = self.server()
        reply = self.rename(server, {"server": {"name": " κόμβος "}})
        self.assertEqual((200, "κόμβος"), (reply.code, reply.json["server"]["name"]))
        self.assertEqual(set(self.shown(server)), set(reply.json["server"]))
        self.assertEqual("κόμβος", self.shown(server)["name"])
        [(action,)] = self.sql("SELECT action FROM activity ORDER BY id DESC LIMIT 1")
        self.assertEqual("server rename", action)

    def test_any_time(self) -> None:
        """Also while something is under way, and no order comes of it."""
        server = self.server()
        self.assertEqual(200, self.rename(server, {"server": {"name": "x"}}).code)
        self.assertEqual([("create",)], self.sql("SELECT kind FROM orders"))

    def test_refused(self) -> None:
        """Names are checked as for new servers; nothing else can be changed."""
        server = self.server()
        for body in (
            {},
            [],
            {"server": None},
            {"server": {}},
            {"server": {"name": ""}},
            {"server": {"name": " "}},
            {"server": {"name": "x" * 256}},
            {"server": {"name": 5}},
            {"server": {"name": None}},
            {"server": {"name": "a\0"}},
            {"server": {"name": "a\n"}},
            {"server": {"name": "x", "status": "ACTIVE"}},
            {"server": {"name": "x"}, "x": 1},
        ):
            reply = self.rename(server, body)
            self.assertEqual(400, reply.code, (body, reply.text))
        self.assertEqual("web", self.shown(server)["name"])

    def test_missing(self) -> None:
        """What is not there cannot be renamed."""
        for text in (str(uuid4()), "web"):
            reply = self.rename(text, {"server": {"name": "x"}})
            self.assertEqual(404, reply.code)


def _reference(kind: str, identity: UUID) -> dict:
    href = f"{ROOT}/compute/{kind}/{identity}"
    return {"id": str(identity), "links": [{"rel": "bookmark", "href": href}]}


class SecurityGroupTests(ApiTestCase):
    """``os-security-groups`` of a server."""

    def test_default(self) -> None:
        """It is the default one, which is told of one's own servers only."""
        path = f"{SERVERS}/{self.server()}/os-security-groups"
        reply = self.call("GET", path, by=ALICE)
        self.assertEqual(200, reply.code)
        [group] = reply.json["security_groups"]
        self.assertEqual("default", group["name"])
        self.assertEqual(404, self.call("GET", path, by=BOB).code)
        missing = f"{SERVERS}/{uuid4()}/os-security-groups"
        self.assertEqual(404, self.call("GET", missing, by=ALICE).code)
