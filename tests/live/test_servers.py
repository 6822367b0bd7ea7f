"""From a POST to a guest that has booted, and back to nothing, on the real cluster."""

from tests.live.cloud import LiveTestCase, eventually

_SERVERS = "/compute/v2.1/servers"


class GuestTests(LiveTestCase):
    """A real guest, by plain HTTP."""

    async def test_life(self) -> None:
        """It boots with its address's MAC, stops, starts, reboots, and is gone."""
        server = await self.made(image="tiny")
        shown = await self.user.show(server)
        self.assertEqual("BUILD", shown["status"])
        name = f"snf-{await self.number(server)}"
        said = await self.boots(name)
        shown = await self.user.until(server, "ACTIVE")
        address, _ = shown["addresses"]["default"]
        self.assertIn(f"NIC eth0 {address['OS-EXT-IPS-MAC:mac_addr']}", said)

        self.assertEqual(202, await self.user.act(server, {"os-stop": None}))
        self.assertEqual(409, await self.user.act(server, {"os-start": None}))
        await self.user.until(server, "SHUTOFF")
        self.assertEqual("ADMIN_down", (await self.instances())[name])

        self.assertEqual(202, await self.user.act(server, {"start": {}}))
        await self.boots(name, 2)
        await self.user.until(server, "ACTIVE")

        for kind in ("SOFT", "HARD"):
            self.assertEqual(
                202, await self.user.act(server, {"reboot": {"type": kind}})
            )
            await self.user.until(server, "ACTIVE")
        await self.boots(name, 3)

        await self.user.delete(server)
        self.assertNotIn(name, await self.instances())
        self.assertEqual(
            [], (await self.user.call("GET", "/network/v2.0/ports")).json["ports"]
        )

    async def test_nic_is_reported(self) -> None:
        """The hook tells of the NICs, and the port becomes ACTIVE."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")

        async def active() -> bool:
            reply = await self.user.call(
                "GET", f"/network/v2.0/ports?device_id={server}"
            )
            return [port["status"] for port in reply.json["ports"]] == ["ACTIVE"]

        await eventually(active, "the port is ACTIVE", 30)


class RaceTests(LiveTestCase):
    """What is asked for while something else is under way."""

    async def test_delete_while_building(self) -> None:
        """A server may be deleted at any moment of its build, and leaves nothing."""
        servers = [await self.user.create() for _ in range(4)]
        names = [f"snf-{await self.number(server)}" for server in servers]
        for server in servers:
            await self.user.delete(server, 120)
        left = await self.instances()
        self.assertEqual([], [name for name in names if name in left])

    async def test_side_by_side(self) -> None:
        """Servers asked for at once are built side by side, each with its own address."""
        servers = [await self.made() for _ in range(6)]
        shown = [await self.user.until(server, "ACTIVE", 120) for server in servers]
        addresses = {one["addresses"]["default"][0]["addr"] for one in shown}
        self.assertEqual(6, len(addresses))

    async def test_operator_at_work(self) -> None:
        """What the operator does with gnt-instance is seen."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        name = f"snf-{await self.number(server)}"
        await self.inside("gnt-instance", "shutdown", name)
        await self.user.until(server, "SHUTOFF", 30)
        await self.inside("gnt-instance", "startup", name)
        await self.user.until(server, "ACTIVE", 30)


class RefusalTests(LiveTestCase):
    """What Ganeti does not take."""

    async def test_unknown_os(self) -> None:
        """A build that Ganeti refuses ends in ERROR with its words, and can be deleted."""
        self.query(
            "INSERT INTO image (id, name, status, visibility, os)"
            " VALUES (gen_random_uuid(), 'broken', 'active', 'public',"
            " 'no-such-os+default')"
        )
        self.addCleanup(
            self.query, "UPDATE image SET visibility = 'private' WHERE name = 'broken'"
        )
        server = await self.made(image="broken", flavor="m1.tiny")
        shown = await self.user.until(server, "ERROR")
        self.assertIn("no-such-os", shown["fault"]["message"])
        await self.user.delete(server)
