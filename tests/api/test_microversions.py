"""What each microversion of compute changes."""

from typing import Any

from snf.api.compute.versions import STEPS
from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, ALICE, PROJECT_A, SMALL, TINY
from tests.api.case import SERVERS, ApiTestCase, Reply

# From which version on which attributes of a server are seen.
SEEN = {
    "2.9": {"locked"},
    "2.19": {"description"},
    "2.26": {"tags"},
    "2.63": {"trusted_image_certificates"},
    "2.71": {"server_groups"},
    "2.73": {"locked_reason"},
    "2.90": {"OS-EXT-SRV-ATTR:hostname"},
    "2.96": {"pinned_availability_zone"},
    "2.100": {"scheduler_hints"},
}

SEEN_BY_ADMINS = {
    "2.3": {
        "OS-EXT-SRV-ATTR:reservation_id",
        "OS-EXT-SRV-ATTR:launch_index",
        "OS-EXT-SRV-ATTR:hostname",
        "OS-EXT-SRV-ATTR:kernel_id",
        "OS-EXT-SRV-ATTR:ramdisk_id",
        "OS-EXT-SRV-ATTR:root_device_name",
        "OS-EXT-SRV-ATTR:user_data",
    },
    "2.16": {"host_status"},
}


def minor(version: str) -> int:
    """Return the second number of a version."""
    return int(version.partition(".")[2])


class TableTests(ApiTestCase):
    """``STEPS``."""

    def test_no_gap(self) -> None:
        """Every version up to the newest has an entry."""
        self.assertEqual([(2, minor) for minor in range(1, 101)], [*STEPS])


class ViewTests(ApiTestCase):
    """What servers and flavors show."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server(name="Web 1", availability_zone="nova")
        self.live(self.mine, Life(Observed.UP))

    def seen(self, version: str, by=ALICE) -> dict[str, Any]:
        """Return the server as a version shows it."""
        url = f"{SERVERS}/{self.mine}"
        reply = self.call("GET", url, by=by, version=version)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["server"]

    def test_attributes(self) -> None:
        """In every version a server has what versions up to it have added."""
        oldest = {user.name: set(self.seen("2.1", user)) for user in (ALICE, ADMIN)}
        for _, number in STEPS:
            expected = {
                name
                for since, names in SEEN.items()
                if number >= minor(since)
                for name in names
            }
            found = set(self.seen(f"2.{number}")) - oldest["alice"]
            self.assertEqual(expected, found, number)
            for since, names in SEEN_BY_ADMINS.items():
                expected |= names if number >= minor(since) else set()
            found = set(self.seen(f"2.{number}", ADMIN)) - oldest["admin"]
            self.assertEqual(expected, found, number)

    def test_same_everywhere(self) -> None:
        """A change answers with what show shows; lists lack only the groups."""
        for version in ("2.1", "2.47", "2.75", "2.96", "2.100"):
            shown = self.seen(version)
            url = f"{SERVERS}/{self.mine}"
            body = {"server": {"name": "Web 1"}}
            changed = self.call("PUT", url, body, by=ALICE, version=version).json
            self.assertEqual(set(shown), set(changed["server"]))
            listed = self.call("GET", f"{SERVERS}/detail", by=ALICE, version=version)
            [server] = listed.json["servers"]
            self.assertLessEqual(set(shown) - set(server), {"server_groups"})

    def test_image_properties(self) -> None:
        """From some version on a server shows what its image says of itself."""
        self.assertNotIn("properties", self.seen("2.97")["image"])
        shown = self.seen("2.98")["image"]["properties"]
        self.assertEqual(dict(TINY.properties), shown)

    def test_values(self) -> None:
        """What is shown is true."""
        shown = self.seen("2.96", ADMIN)
        self.assertEqual("web-1", shown["OS-EXT-SRV-ATTR:hostname"])
        self.assertEqual("nova", shown["pinned_availability_zone"])
        self.assertEqual((False, None), (shown["locked"], shown["locked_reason"]))
        self.assertIsNone(shown["description"])
        for change, status in (
            ("drained = true", "MAINTENANCE"),
            ("unreachable_since = now()", "UNKNOWN"),
            ("offline = true", "DOWN"),
        ):
            self.assertEqual(status, self.status_after(change))

    def status_after(self, change: str) -> str:
        """Return the status of the server's host after a change of its cluster."""
        self.sql(f"UPDATE cluster SET {change}")
        return self.seen("2.16", ADMIN)["host_status"]

    def test_flavor(self) -> None:
        """From 2.47 on a server's flavor is its sizes."""
        self.sql("INSERT INTO flavor_extra_spec VALUES (%s, 'a:b', 'c')", SMALL.id)
        self.assertEqual(str(SMALL.id), self.seen("2.46")["flavor"]["id"])
        self.assertEqual(
            {
                "original_name": "small",
                "vcpus": 1,
                "ram": 128,
                "disk": 1,
                "ephemeral": 0,
                "swap": 0,
                "extra_specs": {"a:b": "c"},
            },
            self.seen("2.47")["flavor"],
        )

    def test_flavors(self) -> None:
        """Flavors have a description, then extra specs, then a number for swap."""
        for version, expected in (
            ("2.54", {"swap": ""}),
            ("2.55", {"swap": "", "description": None}),
            ("2.61", {"swap": "", "description": None, "extra_specs": {}}),
            ("2.75", {"swap": 0, "description": None, "extra_specs": {}}),
        ):
            url = f"/compute/v2.1/flavors/{SMALL.id}"
            flavor = self.call("GET", url, by=ALICE, version=version).json["flavor"]
            names = ("swap", "description", "extra_specs")
            found = {name: flavor[name] for name in names if name in flavor}
            self.assertEqual(expected, found)


class AskTests(ApiTestCase):
    """What may be asked for."""

    def make(self, version: str, **fields: Any) -> Reply:
        """Ask for a server."""
        body = {"name": "w", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        return self.call(
            "POST", SERVERS, {"server": body | fields}, by=ALICE, version=version
        )

    def test_fields(self) -> None:
        """What a version does not have yet is a 400 that names it."""
        for name, value, since in (
            ("description", "d", 19),
            ("tags", ["a"], 52),
            ("trusted_image_certificates", None, 63),
            ("hostname", "h", 90),
            ("hostname", "h.example", 94),
        ):
            before = self.make(f"2.{since - 1}", networks="auto", **{name: value})
            self.assertEqual(400, before.code, name)
            self.assertIn(name, before.message)
            reply = self.make(f"2.{since}", networks="auto", **{name: value})
            self.assertEqual(202, reply.code, reply.text)

    def test_networks(self) -> None:
        """From 2.37 on they must be given."""
        self.assertEqual(202, self.make("2.36").code)
        for wish in ({}, {"networks": None}):
            reply = self.make("2.37", **wish)
            self.assertEqual(400, reply.code)
            self.assertIn("networks", reply.message)
        self.assertEqual(202, self.make("2.37", networks="none").code)

    def test_said(self) -> None:
        """What is said of a new server is shown, and can be changed."""
        reply = self.make(
            "2.96", networks="auto", description="Δ\n2", hostname="h.ex", tags=["b"]
        )
        url = f"{SERVERS}/{reply.json['server']['id']}"
        shown = self.call("GET", url, by=ALICE, version="2.96").json["server"]
        self.assertEqual("Δ\n2", shown["description"])
        self.assertEqual("h.ex", shown["OS-EXT-SRV-ATTR:hostname"])
        self.assertEqual(["b"], shown["tags"])
        change = {"description": None, "hostname": "other"}
        reply = self.call("PUT", url, {"server": change}, by=ALICE, version="2.96")
        self.assertEqual(200, reply.code, reply.text)
        shown = self.call("GET", url, by=ALICE, version="2.96").json["server"]
        self.assertIsNone(shown["description"])
        self.assertEqual("other", shown["OS-EXT-SRV-ATTR:hostname"])
        self.assertEqual("w", shown["name"])
        for since, change in ((19, {"description": "x"}), (90, {"hostname": "x"})):
            reply = self.call(
                "PUT", url, {"server": change}, by=ALICE, version=f"2.{since - 1}"
            )
            self.assertEqual(400, reply.code)

    def test_hostnames(self) -> None:
        """A hostname is one that the Internet's rules allow."""
        for name in ("-a", "a-", "a_b", "ä", "", ".", "a..b", "a" * 64, "a b", "a\n"):
            reply = self.make("2.94", networks="none", hostname=name)
            self.assertEqual(400, reply.code, name)

    def test_hostname_of_a_name(self) -> None:
        """A name without any letter of the Internet's still makes a hostname."""
        for name, host in (("Ω", "server-"), ("A.b_C d!", "a-b-c-d"), ("--", "server")):
            reply = self.make("2.90", networks="none", name=name)
            url = f"{SERVERS}/{reply.json['server']['id']}"
            shown = self.call("GET", url, by=ALICE, version="2.90").json["server"]
            self.assertTrue(shown["OS-EXT-SRV-ATTR:hostname"].startswith(host), name)

    def test_images(self) -> None:
        """From 2.36 on compute has no images."""
        for path in ("images", "images/detail", f"images/{TINY.id}"):
            url = f"/compute/v2.1/{path}"
            for version, code in (("2.35", 200), ("2.36", 404), ("2.96", 404)):
                reply = self.call("GET", url, by=ALICE, version=version)
                self.assertEqual(code, reply.code)

    def test_status(self) -> None:
        """From 2.38 on a status that there is not is a 400."""
        url = f"{SERVERS}?status="
        for status, before, since in (
            ("nonsense", 200, 400),
            ("RESCUE", 200, 200),
            ("active", 200, 200),
        ):
            for version, code in (("2.37", before), ("2.38", since)):
                reply = self.call("GET", url + status, by=ALICE, version=version)
                self.assertEqual(code, reply.code, (status, version))

    def test_strict(self) -> None:
        """From 2.75 on a parameter that there is not is a 400."""
        for path, known in (
            ("servers", "name=x&limit=1&sort_key=uuid&deleted=false"),
            ("servers/detail", "changes-since=2020-01-01&tags=a"),
            ("flavors", "limit=1&is_public=None"),
            ("flavors/detail", ""),
        ):
            url = f"/compute/v2.1/{path}?{known}"
            for version in ("2.74", "2.75"):
                reply = self.call("GET", url, by=ALICE, version=version)
                self.assertIn(reply.code, (200, 304), reply.text)
            unknown = f"{url}&nonsense=1"
            self.assertIn(
                self.call("GET", unknown, by=ALICE, version="2.74").code, (200, 304)
            )
            reply = self.call("GET", unknown, by=ALICE, version="2.75")
            self.assertEqual(400, reply.code)
            self.assertIn("nonsense", reply.message)

    def test_changes_before(self) -> None:
        """From 2.66 on servers are found that have not changed since."""
        self.server(name="old")
        self.sql("UPDATE server SET updated = '2020-01-01Z'")
        self.server(name="new")
        url = f"{SERVERS}?changes-before=2021-01-01"
        for version, found in (("2.65", 2), ("2.66", 1)):
            reply = self.call("GET", url, by=ALICE, version=version).json
            self.assertEqual(found, len(reply["servers"]))

    def test_filters_for_all(self) -> None:
        """From 2.83 on owners have the filters that were the admins'."""
        self.live(self.server(name="up"), Life(Observed.UP, progress=7))
        self.server(name="new")
        [(created,)] = self.sql("SELECT created FROM server WHERE name = 'up'")
        for query, found in (
            ("vm_state=active", ["up"]),
            ("vm_state=nonsense", []),
            ("power_state=1", ["up"]),
            ("power_state=9", []),
            ("task_state=spawning", ["new"]),
            ("task_state=None", ["up"]),
            ("task_state=nonsense", []),
            ("progress=7", ["up"]),
            ("progress=x", []),
            ("user_id=x", []),
            (f"user_id={ALICE.id}", ["new", "up"]),
            ("availability_zone=nova", ["new", "up"]),
            ("availability_zone=mars", []),
            ("config_drive=true", []),
            ("key_name=mine", []),
            ("launched_at=2020-01-01", []),
            ("terminated_at=2020-01-01", []),
            (f"created_at={created:%Y-%m-%dT%H:%M:%S}", None),
        ):
            url = f"{SERVERS}?{query}"
            for version, names in (("2.82", ["new", "up"]), ("2.83", found)):
                reply = self.call("GET", url, by=ALICE, version=version)
                listed = [one["name"] for one in reply.json["servers"]]
                if names is None:
                    self.assertIn("up", listed)
                else:
                    self.assertEqual(names, listed, (query, version))
        reply = self.call("GET", f"{SERVERS}?created_at=x", by=ALICE, version="2.83")
        self.assertEqual(400, reply.code)

    def test_project_in_url(self) -> None:
        """Versions are negotiated below a project's id as well."""
        url = f"/compute/v2.1/{PROJECT_A.id}/servers"
        reply = self.call("GET", url, by=ALICE, version="2.96")
        self.assertEqual("compute 2.96", reply.header("OpenStack-API-Version"))
