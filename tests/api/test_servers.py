"""``/compute/*/servers/{id}``: showing, renaming and deleting one server."""

from uuid import UUID, uuid4

from snf.core.order import Kind
from snf.core.server import Fault, Life, Observed
from snf.storage import lives, orders
from snf.testing.world import ADMIN, ALICE, CLUSTER, PROJECT_A, SMALL, TINY
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
        for text in (str(uuid4()), "web", "%00", "..", "a%2Fb", "%F0%9F%90%87", "1"):
            reply = self.call("GET", f"{SERVERS}/{text}", by=ALICE)
            self.assertEqual(404, reply.code, text)
            self.assertIn("itemNotFound", reply.json)

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


class DeleteTests(ApiTestCase):
    """``DELETE /servers/{id}``."""

    def delete(self, server: str) -> int:
        """Ask for a server to be deleted; the status."""
        return self.call("DELETE", f"{SERVERS}/{server}", by=ALICE).code

    def kinds(self) -> list[tuple[str, str]]:
        """Return all orders: what they ask for and how far they have come."""
        return self.sql("SELECT kind, state FROM orders ORDER BY number")

    def assert_gone(self, server: str) -> None:
        """The server is not there, and holds nothing."""
        self.assertEqual(404, self.call("GET", f"{SERVERS}/{server}", by=ALICE).code)
        self.assertEqual([], self.sql("SELECT id FROM port"))
        self.assertEqual([], self.sql("SELECT address FROM address"))

    def test_not_begun(self) -> None:
        """A build that Ganeti has not heard of is called off: gone at once."""
        server = self.server()
        self.assertEqual(204, self.delete(server))
        self.assert_gone(server)
        self.assertEqual([("create", "failed")], self.kinds())
        self.assertEqual(404, self.delete(server))

    def test_begun(self) -> None:
        """A build that may have begun is followed by a deletion."""
        for state in ("submitting", "submitted"):
            server = self.server()
            self.sql("UPDATE orders SET state = %s, attempts = 1", state)
            self.assertEqual(204, self.delete(server))
            shown = self.shown(server)
            self.assertEqual("BUILD", shown["status"])
            self.assertEqual("deleting", shown["OS-EXT-STS:task_state"])
            self.assertEqual([("create", state), ("delete", "new")], self.kinds())
            self.sql("DELETE FROM orders")

    def test_tried_and_put_off(self) -> None:
        """A build that has been tried may be on its way, though it is new again."""
        server = self.server()
        self.sql("UPDATE orders SET attempts = 1")
        self.delete(server)
        self.assertEqual([("create", "new"), ("delete", "new")], self.kinds())

    def test_in_every_state(self) -> None:
        """A server is deleted whatever its state."""
        for life in (
            Life(Observed.UP),
            Life(Observed.DOWN),
            Life(Observed.UNKNOWN),
            Life(Observed.DOWN, fault=Fault("x", NOW)),
        ):
            server = self.server()
            self.live(server, life)
            self.sql("DELETE FROM orders")
            self.assertEqual(204, self.delete(server), life)
            self.assertEqual([("delete", "new")], self.kinds())
            self.assertEqual("deleting", self.shown(server)["OS-EXT-STS:task_state"])
            self.sql("DELETE FROM orders")

    def test_lost(self) -> None:
        """What Ganeti has lost is gone at once, and needs no order."""
        server = self.server()
        self.live(server, Life(Observed.GONE, fault=Fault("never built", NOW)))
        self.assertEqual("ERROR", self.shown(server)["status"])
        self.assertEqual(204, self.delete(server))
        self.assert_gone(server)
        self.assertEqual([("create", "done")], self.kinds())

    def test_twice(self) -> None:
        """To ask again while it is being deleted changes nothing."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.assertEqual(204, self.delete(server))
        before = self.kinds(), self.sql("SELECT count(*) FROM activity")
        self.assertEqual(204, self.delete(server))
        self.assertEqual(
            before, (self.kinds(), self.sql("SELECT count(*) FROM activity"))
        )

    def test_calls_off_what_waits(self) -> None:
        """Orders that Ganeti has not heard of are called off."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.act(server, {"reboot": {"type": "SOFT"}})
        self.delete(server)
        self.assertEqual(
            [("create", "done"), ("reboot", "failed"), ("delete", "new")], self.kinds()
        )

    def test_done(self) -> None:
        """Once Ganeti has removed it, it is not there and its address is free."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        self.delete(server)

        def removed(txn) -> None:
            txn.execute("SELECT id FROM server")
            [(number,)] = txn.fetchall()
            [order] = orders.of_servers(txn, [number])[number]
            self.assertIs(Kind.DELETE, order.kind)
            before = lives.load(txn, [number])
            gone = Life(
                Observed.GONE, orders=(order.ended(None, 7),), deletion_asked=True
            )
            lives.save(txn, before, {number: gone})

        self.run_in(removed)
        self.assert_gone(server)

    def test_missing(self) -> None:
        """What is not there cannot be deleted."""
        for text in (str(uuid4()), "web"):
            self.assertEqual(404, self.delete(text))


def _reference(kind: str, identity: UUID) -> dict:
    href = f"{ROOT}/compute/{kind}/{identity}"
    return {"id": str(identity), "links": [{"rel": "bookmark", "href": href}]}
