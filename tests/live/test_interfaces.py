"""A real guest gets an interface and loses it while it runs."""

import re
from typing import Any
from uuid import uuid4

from twisted.internet.threads import deferToThread

from tests.live.cloud import eventually
from tests.live.test_networks import NetworksTestCase
from tests.node.inside import pings


class InterfacesTestCase(NetworksTestCase):
    """A test with a server whose guest runs."""

    async def nics(self, name: str) -> list[str]:
        """Return the names of an instance's NICs at Ganeti."""
        out = await self.inside(
            *("gnt-instance", "list", "--no-headers", "--separator=|"),
            *("-onic.names", name),
        )
        return re.findall("snf-nic-[0-9a-f-]{36}", out)

    async def port(self, port: str) -> Any:
        reply = await self.user.call("GET", f"/network/v2.0/ports/{port}")
        return reply.json["port"]["status"] if reply.code == 200 else reply.code

    async def reaches(self, port: str, state: Any) -> None:
        """Wait until a port is in a state; 404 is that there is none."""

        async def there() -> bool:
            return await self.port(port) == state

        await eventually(there, f"port {port} is {state}", 60)

    async def attach(self, server: str, network: str) -> Any:
        """Attach a NIC to a running server; what the API says of it."""
        path = f"/compute/v2.1/servers/{server}/os-interface"
        body = {"interfaceAttachment": {"net_id": network}}
        reply = await self.user.call("POST", path, body)
        self.assertEqual(200, reply.code, reply.json)
        made = reply.json["interfaceAttachment"]
        await self.reaches(made["port_id"], "ACTIVE")
        return made

    async def detach(self, server: str, port: str) -> None:
        """Detach a NIC from a running server."""
        path = f"/compute/v2.1/servers/{server}/os-interface/{port}"
        reply = await self.user.call("DELETE", path)
        self.assertEqual(202, reply.code, reply.json)
        await self.reaches(port, 404)


class InterfaceTests(InterfacesTestCase):
    """Ganeti and KVM."""

    async def test_there_and_back(self) -> None:
        """Attached and detached by hotplug; deleted, nothing is left of the server."""
        server, name = await self.booted()
        path = f"/compute/v2.1/servers/{server}/os-interface"
        [first] = (await self.user.call("GET", path)).json["interfaceAttachments"]
        second = await self.attach(server, first["net_id"])
        self.assertEqual(
            [f"snf-nic-{one['port_id']}" for one in (first, second)],
            await self.nics(name),
        )
        await self.detach(server, second["port_id"])
        self.assertEqual([f"snf-nic-{first['port_id']}"], await self.nics(name))
        await self.user.delete(server)
        await self.reaches(first["port_id"], 404)
        address = first["fixed_ips"][0]["ip_address"]
        query = f"fixed_ips=ip_address%3D{address}"
        reply = await self.user.call("GET", f"/network/v2.0/ports?{query}")
        self.assertEqual([], reply.json["ports"])
        self.assertNotIn(name, await self.instances())

    async def test_private(self) -> None:
        """What a NIC on a private network needs comes and goes with it, on all nodes."""
        network = await self.users_network(f"live-{uuid4().hex[:6]}")
        before = await self.nodes()
        server, name = await self.booted()
        number = await self.number(server)
        # It has an address of each family on the public network.
        self.assertEqual(2, self.held(number))
        booted = await self.nodes()
        self.assertNotEqual(before, booted)
        made = await self.attach(server, network)
        addresses = [one["ip_address"] for one in made["fixed_ips"]]
        self.assertEqual(4, self.held(number))
        await self.heard(network, addresses)
        await self.detach(server, made["port_id"])
        self.assertEqual(2, self.held(number))
        self.assertEqual(booted, await self.nodes())
        await self.user.delete(server)
        self.assertEqual(0, self.held(number))
        self.assertEqual(
            [], self.query("SELECT FROM port WHERE server_id = %s", number)
        )
        self.assertEqual(before, await self.nodes())
        self.assertNotIn(name, await self.instances())

    async def nodes(self) -> list[dict[str, str]]:
        """Return what networks have changed on each node."""
        return [await self.settled(one) for one in self.cloud.ganeti.machines]

    def held(self, server: int) -> int:
        """Return how many addresses a server holds."""
        [(count,)] = self.query(
            "SELECT count(*) FROM address a JOIN port p ON p.id = a.port_id"
            " WHERE p.server_id = %s",
            server,
        )
        return int(count)

    async def heard(self, network: str, addresses: list[str]) -> None:
        """Wait until a guest answers its node, which joins its private network."""
        [(segment,)] = self.query("SELECT segment FROM network WHERE id = %s", network)
        [machine] = [
            machine
            for machine in self.cloud.ganeti.machines
            if f"snfv{segment}" in (await self.settled(machine))["links"]
        ]
        self.join(machine, segment)
        for address in addresses:

            async def there(address: str = address) -> bool:
                node = machine.node.namespace
                return bool(await deferToThread(pings, node, address))

            await eventually(there, f"{address} answers", 30)
