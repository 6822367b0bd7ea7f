"""A real guest gets an interface and loses it while it runs."""

import re
from typing import Any

from tests.live.cloud import LiveTestCase, eventually, serial


class InterfaceTests(LiveTestCase):
    """Ganeti and KVM."""

    timeout = 400

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

    async def test_there_and_back(self) -> None:
        """Attached and detached by hotplug; deleted, nothing is left of the server."""
        server = await self.made(image="tiny", flavor="m1.small")
        name = f"snf-{await self.number(server)}"
        await serial(self.cloud, name, "READY")
        await self.user.until(server, "ACTIVE")
        interfaces = f"/compute/v2.1/servers/{server}/os-interface"
        [first] = (await self.user.call("GET", interfaces)).json["interfaceAttachments"]
        body = {"interfaceAttachment": {"net_id": first["net_id"]}}
        reply = await self.user.call("POST", interfaces, body)
        self.assertEqual(200, reply.code, reply.json)
        port = reply.json["interfaceAttachment"]["port_id"]

        async def attached() -> bool:
            return await self.port(port) == "ACTIVE"

        await eventually(attached, "the interface", 60)
        self.assertEqual(
            [f"snf-nic-{first['port_id']}", f"snf-nic-{port}"], await self.nics(name)
        )
        reply = await self.user.call("DELETE", f"{interfaces}/{port}")
        self.assertEqual(202, reply.code, reply.json)

        async def detached() -> bool:
            return await self.port(port) == 404

        await eventually(detached, "its end", 60)
        self.assertEqual([f"snf-nic-{first['port_id']}"], await self.nics(name))
        await self.user.call("DELETE", f"/compute/v2.1/servers/{server}")

        async def gone() -> bool:
            return await self.port(first["port_id"]) == 404

        await eventually(gone, "the end of the server", 60)
        address = first["fixed_ips"][0]["ip_address"]
        query = f"fixed_ips=ip_address%3D{address}"
        reply = await self.user.call("GET", f"/network/v2.0/ports?{query}")
        self.assertEqual([], reply.json["ports"])
        self.assertNotIn(name, await self.instances())
