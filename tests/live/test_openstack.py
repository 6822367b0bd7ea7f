"""The real client ``openstack``, unmodified."""

from uuid import uuid4

from twisted.internet.defer import ensureDeferred, gatherResults

from tests.live.cloud import LiveTestCase

_SERVERS = "/compute/v2.1/servers"


class OpenstackTests(LiveTestCase):
    """python-openstackclient."""

    timeout = 300

    async def test_life(self) -> None:
        """It creates a server, sees it ACTIVE, stops, starts, reboots and deletes it."""
        client = self.user.openstack
        name = f"osc-{uuid4().hex[:6]}"
        made = await client(
            *("server", "create", "--flavor", "m1.tiny", "--image", "tiny"),
            *("--network", "default", "--property", "role=web"),
            *("--wait", "-f", "json", name),
        )
        self.addCleanup(self.user.call, "DELETE", f"/compute/v2.1/servers/{made['id']}")
        self.assertEqual("ACTIVE", made["status"])
        self.assertEqual({"role": "web"}, made["properties"])
        [address] = made["addresses"]["default"]
        listed = await client("server", "list", "-f", "json")
        [shown] = [one for one in listed if one["Name"] == name]
        self.assertEqual({"default": [address]}, shown["Networks"])
        self.assertEqual(("tiny", "m1.tiny"), (shown["Image"], shown["Flavor"]))

        await client("server", "stop", name)
        await self.user.until(made["id"], "SHUTOFF")
        await client("server", "start", name)
        await self.user.until(made["id"], "ACTIVE")
        await client("server", "reboot", "--hard", "--wait", name)
        await client("server", "set", "--name", f"{name}-2", name)
        shown = await client("server", "show", "-f", "json", f"{name}-2")
        self.assertEqual(made["id"], shown["id"])
        await client("server", "delete", "--wait", f"{name}-2")
        self.assertEqual(
            [], await client("server", "list", "-f", "json", "--name", name)
        )

    async def test_catalog(self) -> None:
        """It finds flavors, images, networks, subnets, ports and the catalog."""
        client = self.user.openstack
        names = {one["Name"] for one in await client("flavor", "list", "-f", "json")}
        self.assertIn("m1.tiny", names)
        flavor = await client("flavor", "show", "m1.tiny", "-f", "json")
        self.assertEqual(128, flavor["ram"])
        image = await client("image", "show", "tiny", "-f", "json")
        self.assertEqual("active", image["status"])
        network = await client("network", "show", "default", "-f", "json")
        subnet = await client("subnet", "show", "default", "-f", "json")
        self.assertEqual([subnet["id"]], network["subnets"])
        await client("port", "list", "-f", "json")
        catalog = await client("catalog", "list", "-f", "json")
        self.assertEqual(
            {"identity", "compute", "image", "network"},
            {one["Type"] for one in catalog},
        )
        token = await client("token", "issue", "-f", "json")
        self.assertTrue(token["id"])

    async def test_server_groups(self) -> None:
        """It makes groups, and servers in them, which Ganeti keeps apart."""
        client = self.user.openstack
        name = f"osc-{uuid4().hex[:6]}"
        made = await client(
            *("server", "group", "create", "--policy", "anti-affinity"),
            *("--rule", "max_server_per_host=2", "-f", "json", name),
        )
        group = made["id"]
        groups = "/compute/v2.1/os-server-groups"
        self.addCleanup(self.user.call, "DELETE", f"{groups}/{group}")
        self.assertEqual("anti-affinity", made["policy"])
        listed = await client("server", "group", "list", "-f", "json")
        self.assertIn((group, name), [(one["ID"], one["Name"]) for one in listed])

        # Two for each machine of the cluster, and one that is one too many.
        fit = str(2 * getattr(self.cloud.instance, "node_count", 1))
        create = ("server", "create", "--flavor", "m1.tiny", "--image", "tiny-fake")
        create += ("--no-network", "-f", "json")
        many = ("--server-group", name, "--min", fit, "--max", fit)
        await client(*create, *many, name)
        shown = await client("server", "group", "show", "-f", "json", name)
        servers = shown["members"]
        self.assertEqual(int(fit), len(servers))
        for server in servers:
            self.addCleanup(self.user.call, "DELETE", f"{_SERVERS}/{server}")
        for server in servers:
            await self.user.until(server, "ACTIVE", 120)
        made = await client(*create, "--hint", f"group={group}", name)
        servers.append(made["id"])
        self.addCleanup(self.user.call, "DELETE", f"{_SERVERS}/{made['id']}")
        shown = await self.user.until(made["id"], "ERROR")
        self.assertIn("server group", shown["fault"]["message"])
        shown = await client("server", "group", "show", "-f", "json", name)
        self.assertEqual(servers, shown["members"])
        tags = await self.inside("gnt-instance", "list", "--no-headers", "-o", "tags")
        for slot in (0, 1):
            self.assertIn(f"cyclades:apart:{group}.{slot}", tags)
        await gatherResults(
            [ensureDeferred(self.user.delete(server, 120)) for server in servers]
        )
        await client("server", "group", "delete", name)
        listed = await client("server", "group", "list", "-f", "json")
        self.assertNotIn(group, [one["ID"] for one in listed])

    async def test_inside(self) -> None:
        """It shows an admin what is known of a server's inside, and that is not much."""
        server = await self.made(image="tiny-fake")
        await self.user.until(server, "ACTIVE")
        show = ("server", "show", "-f", "json")
        shown = await self.admin.openstack(*show, "--diagnostics", server)
        self.assertEqual("running", shown["state"])
        self.assertEqual(1, shown["num_cpus"])
        shown = await self.user.openstack(
            "--os-compute-api-version", "2.100", *show, "--topology", server
        )
        self.assertEqual([], shown["topology"]["nodes"])
        self.assertEqual({}, shown["scheduler_hints"])
