"""``openstack`` (python-openstackclient), as a member uses it."""

import contextlib
from typing import Any
from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused

VERSIONS = ("2.1", "2.37", "2.72", "2.96", None)
"""The microversions that it is told to use; None: it chooses for each call."""


def number(version: str | None) -> int:
    """Return the second part of a microversion; of the newest where none is given."""
    return 96 if version is None else int(version.split(".")[1])


class ServerTests(ClientTestCase):
    """The life of a server."""

    async def test_life(self) -> None:
        """At each microversion, each command does what it says, and shows it."""
        await self.together(self.life, VERSIONS)

    def life(self, version: str | None) -> None:
        """One server, from its creation to its deletion."""
        client, minor = self.openstack(version), number(version)
        name = f"osc-{minor}-{uuid4().hex[:6]}"
        made = client.json(
            "server create --flavor m1.tiny --image tiny --network default"
            " --property role=web --wait",
            *(("--description", "für alle") if minor >= 19 else ()),
            *(("--tag", "blue") if minor >= 52 else ()),
            *(("--hostname", "front") if minor >= 90 else ()),
            name,
        )
        try:
            self.lives(client, minor, made)
        except BaseException:
            with contextlib.suppress(Refused):
                client(f"server delete {made['id']}")
            raise

    def lives(self, client: Program, minor: int, made: dict[str, Any]) -> None:
        """What happens to it in between."""
        name = made["name"]
        self.assertEqual("ACTIVE", made["status"])
        self.shows(client, minor, made)
        self.changes(client, minor, name)
        self.is_locked(client, minor, name)
        self.runs(client, name)
        self.has_addresses(client, name)
        self.shows_itself(client, minor, name)
        self.tells(client, minor, name)
        self.has_said(client, name)
        client(f"server set --name {name}-2 {name}")
        client(f"server delete --wait {name}-2")
        self.assertEqual([], client.json(f"server list --name {name}"))
        with self.assertRaisesRegex(Refused, "No Server found"):
            client(f"server show {made['id']}")

    def shows(self, client: Program, minor: int, made: dict[str, Any]) -> None:
        """A server is shown, and listed, as it was asked for."""
        name = made["name"]
        shown = client.json(f"server show {name}")
        self.assertEqual(
            (made["id"], {"role": "web"}, made["addresses"]),
            (shown["id"], shown["properties"], shown["addresses"]),
        )
        self.assertTrue(shown["image"].startswith("tiny ("), shown["image"])
        self.assertIn("m1.tiny", str(shown["flavor"]))
        self.assertEqual(
            (1, None), (shown["OS-EXT-STS:power_state"], shown["OS-EXT-STS:task_state"])
        )
        for since, key, value in (
            (19, "description", "für alle"),
            (52, "tags", ["blue"]),
            (90, "OS-EXT-SRV-ATTR:hostname", "front"),
            (9, "locked", False),
        ):
            if minor >= since:
                self.assertEqual(value, shown[key], key)
        [row] = client.json(f"server list --name {name}")
        self.assertEqual(
            ("tiny", "m1.tiny", made["addresses"]),
            (row["Image"], row["Flavor"], row["Networks"]),
        )
        [row] = client.json(f"server list --long --status ACTIVE --name {name}")
        self.assertEqual(({"role": "web"}, 1), (row["Properties"], row["Power State"]))
        [row] = client.json(f"server list --no-name-lookup --name {name}")
        self.assertIn(row["Image"], shown["image"])

    def changes(self, client: Program, minor: int, name: str) -> None:
        """What its owner says of it can be changed."""
        client(
            f"server set --property stage=test {name}",
            *(("--description", "other") if minor >= 19 else ()),
            *(("--tag", "green") if minor >= 26 else ()),
            *(("--hostname", "back") if minor >= 90 else ()),
        )
        client(f"server unset --property role {name}")
        shown = client.json(f"server show {name}")
        self.assertEqual({"stage": "test"}, shown["properties"])
        if minor >= 19:
            self.assertEqual("other", shown["description"])
        if minor >= 26:
            self.assertIn("green", shown["tags"])
            [row] = client.json(f"server list --tags green --name {name}")
            self.assertEqual(name, row["Name"])
            client(f"server unset --tag green {name}")
            self.assertEqual([], client.json(f"server list --tags green --name {name}"))
        if minor >= 90:
            self.assertEqual("back", shown["OS-EXT-SRV-ATTR:hostname"])

    def is_locked(self, client: Program, minor: int, name: str) -> None:
        """While it is locked it stays."""
        client(
            f"server lock {name}", *(("--reason", "a reason") if minor >= 73 else ())
        )
        with self.assertRaisesRegex(Refused, "409.*is locked"):
            client(f"server delete {name}")
        if minor >= 73:
            [row] = client.json(f"server list --locked --name {name}")
            self.assertEqual(name, row["Name"])
            shown = client.json(f"server show {name}")
            self.assertEqual(
                (True, "a reason"), (shown["locked"], shown["locked_reason"])
            )
        client(f"server unlock {name}")

    def runs(self, client: Program, name: str) -> None:
        """It stops, starts and reboots."""

        def rests_in(status: str) -> None:
            def rests() -> bool:
                shown = client.json(f"server show {name}")
                return (status, None) == (
                    shown["status"],
                    shown["OS-EXT-STS:task_state"],
                )

            self.until(rests, f"{name} {status}")

        client(f"server stop {name}")
        rests_in("SHUTOFF")
        with self.assertRaisesRegex(Refused, "409"):
            client(f"server stop {name}")
        client(f"server start {name}")
        rests_in("ACTIVE")
        client(f"server reboot --wait {name}")
        rests_in("ACTIVE")
        client(f"server reboot --hard --wait {name}")
        rests_in("ACTIVE")

    def has_addresses(self, client: Program, name: str) -> None:
        """It gets another address, and gives it back as it can up to 2.43."""

        def has(count: int) -> bool:
            ports = client.json(f"port list --server {name}")
            return [port["Status"] for port in ports] == ["ACTIVE"] * count

        made = client.json(f"server add fixed ip {name} default")
        self.until(lambda: has(2), f"{name} has two addresses")
        [address] = [one["ip_address"] for one in made["Fixed IPs"]]
        self.openstack("2.43")(f"server remove fixed ip {name} {address}")
        self.until(lambda: has(1), f"{name} has one address")

    def has_said(self, client: Program, name: str) -> None:
        """What it has said on its serial line is shown, or the end of that."""
        log = client(f"console log show {name}")
        self.assertIn("Linux version", log)
        end = client(f"console log show --lines 1 {name}")
        self.assertTrue(end.strip())
        self.assertTrue(log.strip().endswith(end.strip()))
        self.assertNotIn("Linux version", end)

    def shows_itself(self, client: Program, minor: int, name: str) -> None:
        """Its screen and its serial line have URLs, each with a token of its own."""
        screen = client.json(f"console url show {name}")
        self.assertEqual("novnc", screen["type"])
        self.assertTrue(screen["url"].startswith(f"{self.root}/console/vnc?token="))
        line = client.json(f"console url show --serial {name}")
        place = self.root.removeprefix("http://")
        self.assertTrue(line["url"].startswith(f"ws://{place}/console/serial?token="))
        if minor >= 6:
            self.assertEqual(("vnc", "serial"), (screen["protocol"], line["protocol"]))
        for kind in ("spice", "rdp", "xvpvnc"):
            with self.assertRaisesRegex(Refused, "400.*console type"):
                client(f"console url show --{kind} {name}")

    def tells(self, client: Program, minor: int, name: str) -> None:
        """What was done to it is told, the newest first."""
        events = client.json(f"server event list {name}")
        self.assertEqual(
            [
                *("console", "console"),
                *("interface_detach", "interface_attach", "reboot", "reboot"),
                *("start", "stop", "unlock", "lock", "create"),
            ],
            [event["Action"] for event in events],
        )
        if minor >= 51:  # before, it cannot show one whose events are for admins
            request = events[-1]["Request ID"]
            event = client.json(f"server event show {name} {request}")
            self.assertEqual("create", event["action"])


class ReadTests(ClientTestCase):
    """What a member may look at."""

    async def test_compute(self) -> None:
        """Flavors, zones, limits, quotas and usage, at the ends of the range."""
        await self.together(self.compute, ("2.1", "2.60", None))

    def compute(self, version: str | None) -> None:
        """Look at all of it."""
        client = self.openstack(version)
        flavors = {one["Name"]: one for one in client.json("flavor list")}
        self.assertEqual(128, flavors["m1.tiny"]["RAM"])
        flavor = client.json("flavor show m1.tiny")
        self.assertEqual(
            (flavors["m1.tiny"]["ID"], 1, 0, {}),
            (flavor["id"], flavor["vcpus"], flavor["disk"], flavor["properties"]),
        )
        [zone] = client.json("availability zone list --compute")
        self.assertEqual(("nova", "available"), tuple(zone.values())[:2])
        limits = {
            row["Name"]: row["Value"] for row in client.json("limits show --absolute")
        }
        self.assertEqual(-1, limits["max_total_cores"])
        quotas = {row["Resource"]: row for row in client.json("quota show --usage")}
        self.assertEqual(-1, quotas["cores"]["Limit"])
        self.assertIn("In Use", quotas["ports"])
        self.assertTrue(client.json("quota show --default"))
        self.assertIn("CPU Hours", client.json("usage show"))
        aliases = client("extension list --compute -f value -c Alias").split()
        self.assertIn("os-quota-sets", aliases)
        with self.assertRaisesRegex(Refused, "403"):
            client("server list --all-projects")

    async def test_images(self) -> None:
        """Images, by name, by id, with a filter."""
        await self.together(self.images, (None,))

    def images(self, version: str | None) -> None:
        """Look at all of it."""
        client = self.openstack(version)
        images = {one["Name"]: one for one in client.json("image list")}
        image = client.json(f"image show {images['tiny']['ID']}")
        self.assertEqual(("tiny", "active"), (image["name"], image["status"]))
        [found] = client.json("image list --name tiny --status active --long")
        self.assertEqual(image["id"], found["ID"])

    async def test_networks(self) -> None:
        """Networks, subnets, ports."""
        await self.together(self.networks, (None,))

    def networks(self, version: str | None) -> None:
        """Look at all of it."""
        client = self.openstack(version)
        network = client.json("network show default")
        subnet = client.json("subnet show default")
        self.assertEqual([subnet["id"]], network["subnets"])
        [listed] = client.json("network list --name default")
        self.assertEqual(network["id"], listed["ID"])
        [listed] = client.json(f"subnet list --network {network['id']}")
        self.assertEqual(subnet["cidr"], listed["Subnet"])
        for port in client.json("port list --long"):
            self.assertEqual(subnet["id"], port["Fixed IP Addresses"][0]["subnet_id"])
        self.assertIsInstance(client.json("extension list --network"), list)

    async def test_tags(self) -> None:
        """Security groups have tags, and are found by them."""
        await self.together(self.tags, (None,))

    def tags(self, version: str | None) -> None:
        """Make one, look for it, and delete it."""
        client = self.openstack(version)
        name, tag = (f"{word}-{uuid4().hex[:6]}" for word in ("group", "tag"))
        made = client.json(f"security group create --tag {tag} --tag other {name}")
        self.assertEqual(["other", tag], made["tags"])
        [listed] = client.json(f"security group list --tags {tag}")
        self.assertEqual(name, listed["Name"])
        client(f"security group unset --tag {tag} {name}")
        self.assertEqual([], client.json(f"security group list --tags {tag}"))
        with self.assertRaisesRegex(Refused, "remote_ip_prefix"):
            client(f"security group rule create --remote-group {name} {name}")
        client(f"security group delete {name}")

    async def test_identity(self) -> None:
        """The token, the catalog, one's own projects, roles and credentials."""
        await self.together(self.identity, (None,))

    def identity(self, version: str | None) -> None:
        """Look at all of it, and log in with an application credential."""
        client = self.openstack(version)
        types = {one["Type"] for one in client.json("catalog list")}
        self.assertEqual({"identity", "compute", "image", "network"}, types)
        self.assertEqual("nova", client.json("catalog show compute")["name"])
        token = client.json("token issue")
        self.assertEqual(token["project_id"], client.json("project show demo")["id"])
        self.assertEqual(token["user_id"], client.json("user show demo")["id"])
        self.assertEqual(["demo"], [one["Name"] for one in client.json("project list")])
        [role] = client.json("role assignment list --names")
        self.assertEqual(("member", "demo@Default"), (role["Role"], role["Project"]))
        names = {one["Name"] for one in client.json("role list")}
        self.assertLessEqual({"admin", "member", "reader"}, names)
        self.assertEqual(types, {one["Type"] for one in client.json("service list")})
        self.assertIn(
            f"{self.root}/compute/v2.1",
            {one["URL"] for one in client.json("endpoint list --service compute")},
        )
        [region] = client.json("region list")
        self.assertEqual("RegionOne", region["Region"])
        self.assertIn("Default", {one["Name"] for one in client.json("domain list")})
        versions = client.json("versions show --service compute")
        self.assertEqual("2.100", versions[-1]["Max Microversion"])
        self.credential(client)
        program = Program(
            "openstack",
            {
                **{
                    name: value
                    for name, value in client.environment.items()
                    if name in ("PATH", "HOME", "OS_AUTH_URL")
                },
                "OS_AUTH_TYPE": "token",
                "OS_TOKEN": token["id"],
                "OS_PROJECT_NAME": "demo",
                "OS_PROJECT_DOMAIN_ID": "default",
            },
        )
        self.assertEqual(
            ["demo"], [one["Name"] for one in program.json("project list")]
        )
        client(f"token revoke {token['id']}")
        with self.assertRaisesRegex(Refused, "401"):
            program("project list")

    def credential(self, client: Program) -> None:
        """An application credential logs in until it is deleted."""
        name = f"osc-{uuid4().hex[:6]}"
        shown = client.json(f"application credential create --role reader {name}")
        made = {key.lower(): value for key, value in shown.items()}
        self.assertEqual(
            [name],
            [
                one["Name"]
                for one in client.json("application credential list")
                if one["ID"] == made["id"]
            ],
        )
        program = Program(
            "openstack",
            {
                "PATH": client.environment["PATH"],
                "HOME": "/nonexistent",
                "OS_AUTH_URL": self.auth_url,
                "OS_AUTH_TYPE": "v3applicationcredential",
                "OS_APPLICATION_CREDENTIAL_ID": made["id"],
                "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"],
            },
        )
        self.assertTrue(program.json("flavor list"))
        with self.assertRaisesRegex(Refused, "403"):
            program("server create --flavor m1.tiny --image tiny --network default x")
        client(f"application credential delete {name}")
        with self.assertRaisesRegex(Refused, "401"):
            program("flavor list")
