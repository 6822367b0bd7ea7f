"""``openstack`` and servers that become larger, move, or are kept apart."""

from typing import Any
from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused
from tests.clients.test_openstack import number


class MoveTests(ClientTestCase):
    """What is not in every server's life."""

    def made(self, client: Program, *more: str) -> str:
        """Return the name of a new server that runs."""
        name = f"osc-{uuid4().hex[:6]}"
        words = "--flavor m1.tiny --image tiny --network default --wait"
        made = client.json(f"server create {words}", *more, name)
        self.assertEqual("ACTIVE", made["status"])
        return name

    def rests_in(self, client: Program, name: str, status: str) -> dict[str, Any]:
        """Wait until a server is idle in a status, and return what is shown of it."""

        def rests() -> Any:
            shown = client.json(f"server show {name}")
            there = (shown["status"], shown["OS-EXT-STS:task_state"])
            return shown if there == (status, None) else None

        return self.until(rests, f"{name} {status}")

    async def test_resized(self) -> None:
        """A server has another flavor once that is confirmed, the old one otherwise."""
        await self.together(self.resized, ("2.1", None))

    def resized(self, version: str | None) -> None:
        """There and back, and there for good."""
        client = self.openstack(version)
        name = self.made(client)
        with self.assertRaisesRegex(Refused, "409"):
            client(f"server resize confirm {name}")
        # One with a disk, for one that has none, would be another kind of disk.
        with self.assertRaisesRegex(Refused, "400.*flavor"):
            client(f"server resize --flavor m1.small {name}")
        client(f"server delete {name}")
        name = self.made(client, "--flavor", "m1.small")
        for word, flavor in (("revert", "m1.small"), ("confirm", "m1.medium")):
            client(f"server resize --flavor m1.medium --wait {name}")
            shown = self.rests_in(client, name, "VERIFY_RESIZE")
            self.assertIn("m1.medium", str(shown["flavor"]))
            with self.assertRaisesRegex(Refused, "409"):
                client(f"server resize --flavor m1.small {name}")
            client(f"server resize {word} {name}")
            shown = self.rests_in(client, name, "ACTIVE")
            self.assertIn(flavor, str(shown["flavor"]))
        events = client.json(f"server event list {name}")
        self.assertEqual(
            ["confirmResize", "resize", "revertResize", "resize", "create"],
            [event["Action"] for event in events],
        )
        client(f"server delete {name}")

    async def test_migrated(self) -> None:
        """An admin takes a server to another node, and sees where it has been."""
        await self.together(self.migrated, ("2.1", "2.30", "2.96"))

    def migrated(self, version: str | None) -> None:
        """While it runs, and with a restart."""
        client, minor = self.openstack(version, "admin"), number(version)
        member = self.openstack(version)
        name = self.made(member)
        server = member(f"server show {name} -f value -c id").strip()
        with self.assertRaisesRegex(Refused, "403"):
            member(f"server migrate {server}")
        with self.assertRaisesRegex(Refused, "409"):
            client(
                f"server evacuate {server}",
                *(("--shared-storage",) if minor < 14 else ()),
            )
        self.tells(client, version, server)
        live = minor >= 25  # before, it does not get as far as to send anything
        if live:
            client(f"server migrate --live-migration --wait {server}")
            self.rests_in(client, server, "ACTIVE")
        [service] = client.json("compute service list")
        client(
            f"server migrate --wait {server}",
            *(("--host", service["Host"]) if minor >= 56 else ()),
        )
        self.rests_in(client, server, "ACTIVE")
        listed = client.json(f"server migration list --server {server}")
        self.assertEqual(
            ["confirmed", "completed"][: 1 + live], [one["Status"] for one in listed]
        )
        if live:
            self.assertEqual(
                ["migration", "live-migration"], [one["Type"] for one in listed]
            )
            with self.assertRaisesRegex(Refused, "404|No ServerMigration"):
                client(f"server migration show {server} {listed[1]['Id']}")
        events = member.json(f"server event list {server}")
        self.assertEqual(
            ["migrate", *["live-migration"][:live], "create"],
            [event["Action"] for event in events],
        )
        member(f"server delete {server}")

    def tells(self, client: Program, version: str | None, server: str) -> None:
        """What is known of a server's inside is shown to admins."""
        shown = client.json(f"server show --diagnostics {server}")
        self.assertEqual("running", shown["state"])
        # It asks in no version for the topology, unless it is told one.
        if version is not None and number(version) >= 78:
            shown = client.json(f"server show --topology {server}")
            self.assertEqual([], shown["topology"]["nodes"])
            with self.assertRaisesRegex(Refused, "403"):
                self.openstack()(f"server show --diagnostics {server}")

    async def test_grouped(self) -> None:
        """Servers of a group are kept apart for as long as there is room."""
        await self.together(self.grouped, ("2.1", "2.15", "2.96"))

    def grouped(self, version: str | None) -> None:
        """Two fit on two nodes, a third does not."""
        client, minor = self.openstack(version), number(version)
        group = f"group-{uuid4().hex[:6]}"
        made = client.json(f"server group create --policy anti-affinity {group}")
        names = [
            self.made(client, "--hint", f"group={made['id']}"),
            self.made(client, "--server-group", group),
        ]
        shown = client.json(f"server group show {group}")
        ids = [client.json(f"server show {name}")["id"] for name in names]
        self.assertEqual(sorted(ids), sorted(_members(shown)))
        if minor >= 64:
            self.assertEqual("anti-affinity", shown["policy"])
        else:
            self.assertIn("anti-affinity", shown["policies"])
        if minor >= 71:
            # By its name it would be looked for in a list, which tells no groups.
            server = client.json(f"server show {ids[0]}")
            self.assertIn(made["id"], str(server["server_groups"]))
        third = f"{group}-third"
        words = "--flavor m1.tiny --image tiny --network default"
        client(f"server create {words} --server-group {group} {third}")
        shown = self.rests_in(client, third, "ERROR")
        self.assertIn("No valid host", str(shown["fault"]))
        [row] = [
            one
            for one in client.json("server group list --long")
            if one["ID"] == made["id"]
        ]
        self.assertEqual(group, row["Name"])
        for name in (*names, third):
            client(f"server delete --wait {name}")
        self.assertEqual([], _members(client.json(f"server group show {group}")))
        client(f"server group delete {group}")
        with self.assertRaisesRegex(Refused, "No ServerGroup found"):
            client(f"server group show {group}")
        if minor >= 15:
            client.json(f"server group create --policy soft-affinity {group}")
            client(f"server group delete {group}")
        if minor >= 64:
            rule = ("--rule", "max_server_per_host=2")
            made = client.json(
                f"server group create --policy anti-affinity {group}", *rule
            )
            self.assertIn("max_server_per_host", str(made["rules"]))
            client(f"server group delete {group}")


def _members(group: dict[str, Any]) -> list[str]:
    """Return the servers of a group, which are words or a list by the client's mood."""
    members = group["members"]
    if isinstance(members, str):
        return [word for word in members.replace(",", " ").split() if word]
    return list(members)
