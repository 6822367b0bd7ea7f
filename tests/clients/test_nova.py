"""``nova`` (python-novaclient), which some scripts still call."""

from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused


class NovaTests(ClientTestCase):
    """The life of a server, and what an admin sees."""

    def nova(self, version: str, who: str = "user") -> Program:
        """Return ``nova`` at a microversion."""
        options = ("--os-compute-api-version", version)
        return Program("nova", self.environment(who), options)

    async def test_life(self) -> None:
        """At each microversion, each command does what it says, and shows it."""
        await self.together(self.life, ("2.1", "2.60", "2.96"))

    def life(self, version: str) -> None:
        """One server, from its creation to its deletion."""
        client = self.nova(version)
        name = f"nova-{uuid4().hex[:6]}"
        network = self.openstack()("network show default -f value -c id").strip()
        flavors = {row["Name"]: row for row in client.table("flavor-list")}
        self.assertEqual("128", flavors["m1.tiny"]["Memory_MiB"])
        [group] = client.table(f"server-group-create {name} affinity")
        made = client.pairs(
            f"boot --flavor m1.small --image tiny --meta role=web --nic net-id={network}"
            f" --hint group={group['Id']} {name}"
        )
        self.rests_in(client, name, "ACTIVE")
        client(f"meta {name} set stage=test")
        client(f"meta {name} delete role")
        shown = client.pairs(f"show {name}")
        self.assertEqual(
            (made["id"], "ACTIVE", '{"stage": "test"}'),
            (shown["id"], shown["status"], shown["metadata"]),
        )
        [row] = client.table(f"list --name {name}")
        self.assertEqual(f"default={shown['default network']}", row["Networks"])
        self.assertIn("simulated", client(f"console-log {name}"))
        self.assertNotIn("simulated", client(f"console-log --length 1 {name}"))
        [screen] = client.table(f"get-vnc-console {name} novnc")
        self.assertTrue(screen["Url"].startswith(f"{self.root}/console/vnc?token="))
        self.assertIn("/console/serial?token=", client(f"get-serial-console {name}"))
        with self.assertRaisesRegex(Refused, "Unavailable console type spice-html5"):
            client(f"get-spice-console {name} spice-html5")
        client(f"lock {name}")
        with self.assertRaisesRegex(Refused, "is locked"):
            client(f"stop {name}")
        client(f"unlock {name}")
        client(f"stop {name}")
        self.rests_in(client, name, "SHUTOFF")
        client(f"start {name}")
        self.rests_in(client, name, "ACTIVE")
        client(f"reboot --hard {name}")
        self.rests_in(client, name, "ACTIVE")
        if version != "2.1":
            client(f"server-tag-add {name} blue green")
            client(f"server-tag-delete {name} blue")
            self.assertIn("green", client(f"server-tag-list {name}"))
        done = {"create", "console", "lock", "unlock", "stop", "start", "reboot"}
        if version == "2.96":
            self.is_resized(client, name)
            done |= {"resize", "revertResize", "confirmResize"}
        if version != "2.60":  # which asks for a migration as the newest does
            self.is_migrated(version, made["id"])
            done |= {"migrate", "live-migration"}
        events = {row["Action"] for row in client.table(f"instance-action-list {name}")}
        self.assertEqual(done, events)
        [row] = client.table(f"server-group-get {group['Id']}")
        self.assertIn(made["id"], row["Members"])
        client(f"update --name {name}-2 {name}")
        client(f"delete {name}-2")
        self.until(lambda: not client.table(f"list --name {name}"), f"{name} gone")
        client(f"server-group-delete {group['Id']}")
        names = [row["Name"] for row in client.table("server-group-list")]
        self.assertNotIn(name, names)

    def is_resized(self, client: Program, name: str) -> None:
        """It is made larger and smaller again, and larger for good."""
        for word in ("revert", "confirm"):
            client(f"resize {name} m1.medium")
            self.rests_in(client, name, "VERIFY_RESIZE")
            client(f"resize-{word} {name}")
            self.rests_in(client, name, "ACTIVE")

    def is_migrated(self, version: str, server: str) -> None:
        """An admin takes it to another node and back, and looks inside."""
        admin = self.nova(version, "admin")
        for word in ("live-migration", "migrate"):
            admin(f"{word} {server}")
            self.until(lambda: self.rests(admin, server, "ACTIVE"), f"{word} {server}")
        moved = [
            row["Status"]
            for row in admin.table("migration-list")
            if server in row.values()
        ]
        self.assertEqual(["completed", "confirmed"], sorted(moved))
        with self.assertRaisesRegex(Refused, "409"):
            shared = "--on-shared-storage" if version == "2.1" else ""
            admin(f"evacuate {shared} {server}")
        self.assertIn("running", admin(f"diagnostics {server}"))
        if version == "2.96":
            self.assertEqual([], admin.table(f"server-migration-list {server}"))
            self.assertEqual("[]", admin.pairs(f"server-topology {server}")["nodes"])

    def rests(self, client: Program, server: str, status: str) -> bool:
        """Return whether a server is idle in a status."""
        shown = client.pairs(f"show {server}")
        return (status, "-") == (shown["status"], shown["OS-EXT-STS:task_state"])

    def rests_in(self, client: Program, name: str, status: str) -> None:
        """Wait until the server is idle in a status."""

        def rests() -> bool:
            [row] = client.table(f"list --name {name}")
            return (status, "-") == (row["Status"], row["Task State"])

        self.until(rests, f"{name} {status}")

    async def test_lists(self) -> None:
        """Zones, limits, quotas and usage; hosts and all projects' for admins."""
        await self.together(self.lists, ("2.1", "2.60", "2.96"))

    def lists(self, version: str) -> None:
        """Look at all of it."""
        client, admin = self.nova(version), self.nova(version, "admin")
        quotas = {row["Quota"]: row["Limit"] for row in client.table("quota-show")}
        self.assertEqual("-1", quotas["cores"])
        self.assertIn("Cores", client("limits"))
        self.assertIn("Usage from", client("usage"))
        self.assertIn("nova", client("availability-zone-list"))
        [service] = admin.table("service-list")
        [host] = admin.table("hypervisor-list")
        self.assertEqual(service["Host"], host["Hypervisor hostname"])
        admin("usage-list")
        self.assertEqual([], admin.table("aggregate-list"))
        self.assertIsInstance(admin.table("list --all-tenants"), list)
