"""A real guest is resized by the real client, and has more or less memory for it."""

from uuid import uuid4

from tests.live.cloud import LiveTestCase, eventually


class ResizeTests(LiveTestCase):
    """python-openstackclient, Ganeti and KVM."""

    timeout = 400

    async def at_ganeti(self, name: str) -> tuple[str, ...]:
        """Return the memory, what of it its process has, processors and disk."""
        out = await self.inside(
            *("gnt-instance", "list", "--no-headers", "--units=m"),
            *("-obe/maxmem,oper_ram,be/vcpus,disk.size/0", name),
        )
        return tuple(out.split())

    async def booted(self, flavor: str) -> tuple[str, str]:
        """Return the id of a new server that has booted, and its instance's name."""
        server = await self.made(image="tiny", flavor=flavor)
        name = f"snf-{await self.number(server)}"
        await self.boots(name)
        await self.user.until(server, "ACTIVE")
        return server, name

    async def test_there_and_back(self) -> None:
        """Reverted, confirmed: Ganeti and the guest's process have what is shown."""
        client = self.user.openstack
        server, name = await self.booted("m1.small")
        self.assertEqual(("256", "256", "1", "1024"), await self.at_ganeti(name))

        await client("server", "resize", "--flavor", "m1.medium", "--wait", server)
        shown = await self.user.until(server, "VERIFY_RESIZE")
        await self.boots(name, 2)
        self.assertEqual(("512", "512", "2", "2048"), await self.at_ganeti(name))

        await client("server", "resize", "revert", server)
        await self.user.until(server, "ACTIVE", 120)
        await self.boots(name, 3)
        # The disk stays as it is.
        self.assertEqual(("256", "256", "1", "2048"), await self.at_ganeti(name))

        await client("server", "resize", "--flavor", "m1.medium", "--wait", server)
        await client("server", "resize", "confirm", server)
        shown = await client("server", "show", "-f", "json", server)
        self.assertEqual("ACTIVE", shown["status"])
        self.assertEqual("m1.medium", shown["flavor"]["name"])
        self.assertEqual(("512", "512", "2", "2048"), await self.at_ganeti(name))

        events = await client("server", "event", "list", "-f", "json", server)
        self.assertEqual(
            ["confirmResize", "resize", "revertResize", "resize", "create"],
            [event["Action"] for event in events],
        )

    async def test_stopped(self) -> None:
        """A server that is off is larger when it is started."""
        client = self.user.openstack
        server, name = await self.booted("m1.small")
        await self.user.act(server, {"os-stop": None})
        await self.user.until(server, "SHUTOFF")
        await client("server", "resize", "--flavor", "m1.medium", "--wait", server)
        self.assertEqual("ADMIN_down", (await self.instances())[name])
        await client("server", "resize", "confirm", server)
        await self.user.until(server, "SHUTOFF")
        await self.user.act(server, {"os-start": None})
        await self.user.until(server, "ACTIVE")
        self.assertEqual(("512", "512", "2", "2048"), await self.at_ganeti(name))

    async def test_more_than_the_node_has(self) -> None:
        """The server goes on in its old flavor, and its owner can read why."""
        flavor = f"huge-{uuid4().hex[:6]}"
        await self.admin.openstack(
            *("flavor", "create", "--ram", "4000000", "--disk", "1"),
            *("--vcpus", "1", flavor),
        )
        self.addCleanup(self.admin.openstack, "flavor", "delete", flavor)
        server, name = await self.booted("m1.small")
        path = f"/compute/v2.1/servers/{server}/action"
        wanted = (await self.user.ids(flavor, "tiny"))["flavorRef"]
        reply = await self.user.call("POST", path, {"resize": {"flavorRef": wanted}})
        self.assertEqual(202, reply.code)
        await self.user.until(server, "ACTIVE", 60)
        self.assertEqual(("256", "256", "1", "1024"), await self.at_ganeti(name))
        [request_id] = reply.headers.getRawHeaders("x-openstack-request-id")
        path = f"/compute/v2.1/servers/{server}/os-instance-actions/{request_id}"
        action = (await self.admin.call("GET", path)).json["instanceAction"]
        self.assertEqual(
            ("Error", ["Error"]),
            (action["message"], [event["result"] for event in action["events"]]),
        )
        [(error,)] = self.query(
            "SELECT error FROM orders WHERE request_id = %s", request_id
        )
        self.assertTrue(error)

    async def test_killed(self) -> None:
        """Killed in the middle of it, the cloud takes it up where it was."""
        server, name = await self.booted("m1.small")
        wanted = (await self.user.ids("m1.medium", "tiny"))["flavorRef"]
        await self.user.act(server, {"resize": {"flavorRef": wanted}})
        for kind in ("grow", "modify", "reboot"):

            async def ordered(kind: str = kind) -> bool:
                return bool(
                    self.query(
                        "SELECT 1 FROM orders o JOIN server s ON s.id = o.server_id"
                        " WHERE s.uuid = %s AND o.kind = %s",
                        server,
                        kind,
                    )
                )

            await eventually(ordered, f"{kind} is ordered", 60)
            self.kill_cyclades()
            await self.restart_daemons()
        await self.user.until(server, "VERIFY_RESIZE", 120)
        self.assertEqual(("512", "512", "2", "2048"), await self.at_ganeti(name))
        self.assertEqual(
            [("create", 1), ("grow", 1), ("modify", 1), ("reboot", 1)],
            self.query(
                "SELECT o.kind, count(DISTINCT o.job) FROM orders o JOIN server s"
                " ON s.id = o.server_id WHERE s.uuid = %s GROUP BY 1 ORDER BY 1",
                server,
            ),
        )
