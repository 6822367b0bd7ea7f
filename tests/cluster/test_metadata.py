"""Guests without a config drive: told who they are by the metadata service of their node."""

import base64
from typing import Any

from snf.allinone.images import NAME
from tests.live.cloud import eventually, serial
from tests.live.test_images import ImagesTestCase
from tests.live.test_networks import PRIVATE4

_SERVICE = "169.254.169.254"
_ROOT = f"http://{_SERVICE}"
_META = f"{_ROOT}/openstack/latest/meta_data.json"
_PASSWORD = "/openstack/latest/password"
# By which cloud-init knows that it may ask.
_PRODUCT = "OpenStack Nova"
_GET = "timeout 5 wget -q -O -"
_RAN = "until grep -q '^USER-DATA exit=0' /tmp/said; do sleep 1; done"


def _posting(body: str) -> str:
    """Return what prints how a guest is answered when it tells a password."""
    head = f"POST {_PASSWORD} HTTP/1.0\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    # Who ends what it sends has hung up before it is answered.
    sent = f"(printf '{head}{body}'; sleep 3)"
    return f"{sent} | timeout 10 nc {_SERVICE} 80 | head -n 1"


class MetadataTests(ImagesTestCase):
    """Servers that are made with ``config_drive: false``."""

    async def made(self, **more: Any) -> str:
        """Return the id of a server of the small image, which has no config drive."""
        named = await self.user.ids("m1.small", NAME)
        server = await self.server(named["imageRef"], config_drive=False, **more)
        self.assertNotIn("adminPass", server)
        return server["id"]

    async def test_told(self) -> None:
        """It gets its key, its name and its user data; later changes too; no other does."""
        script = base64.b64encode(b"#!/bin/sh\necho ran on $(hostname)\n").decode()
        first = await self.made(user_data=script, metadata={"role": "one"})
        seen = await self.inside_guest(
            first,
            f"{_RAN}; hostname; cat /var/log/user-data.log; grep METADATA /tmp/said;"
            " ls /sys/block | grep -c ^vd; cat /sys/class/dmi/id/product_name",
        )
        told = f"METADATA {_ROOT}/openstack/latest"
        self.assertEqual(
            [self.name, f"ran on {self.name}", told, "1", _PRODUCT], seen.splitlines()
        )
        await self._changed(first)
        await self._password(first)
        await self._alone(first)

    async def _changed(self, server: str) -> None:
        path = f"/compute/v2.1/servers/{server}/metadata"
        body = {"metadata": {"role": "two"}}
        self.assertEqual(200, (await self.user.call("POST", path, body)).code)

        async def told() -> bool:
            return '"role":"two"' in await self.inside_guest(server, f"{_GET} {_META}")

        await eventually(told, "the metadata are the old ones", 60, 1)

    async def _password(self, server: str) -> None:
        """The guest tells a password once; its owner sees it, and may clear it."""
        path = f"/compute/v2.1/servers/{server}/os-server-password"
        answer = await self.inside_guest(server, _posting("c2VjcmV0"))
        self.assertIn(" 200 ", answer)
        shown = (await self.user.call("GET", path)).json
        self.assertEqual({"password": "c2VjcmV0"}, shown)
        self.assertIn(" 409 ", await self.inside_guest(server, _posting("b3RoZXI=")))
        self.assertEqual(204, (await self.user.call("DELETE", path)).code)
        shown = (await self.user.call("GET", path)).json
        self.assertEqual({"password": ""}, shown)

    async def _alone(self, first: str) -> None:
        """Another guest, which takes the first one's address, is not told as that."""
        second = await self.made()
        asked = f"{_GET} {_ROOT}/latest/meta-data/instance-id"
        self.assertEqual(second, await self.inside_guest(second, asked))
        shown = await self.user.show(first)
        assert shown is not None
        four = shown["addresses"]["default"][0]["addr"]
        stolen = await self.inside_guest(
            second,
            f"ip addr add {four}/32 dev eth0; ip route add {_SERVICE} dev eth0 src {four};"
            f" {asked}; echo $?; ip route del {_SERVICE}; ip addr del {four}/32 dev eth0",
        )
        self.assertNotIn(first, stolen)
        self.assertNotEqual("0", stolen.split()[-1])
        self.assertEqual(first, await self.inside_guest(first, asked))

    async def test_private(self) -> None:
        """So does one on a network of its owner's alone, which leads nowhere."""
        wanted = {"network": {"name": self.name}}
        reply = await self.user.call("POST", "/network/v2.0/networks", wanted)
        network = reply.json["network"]["id"]
        self.later(self.user.call, "DELETE", f"/network/v2.0/networks/{network}")
        subnet = {"cidr": PRIVATE4, "ip_version": 4, "gateway_ip": None}
        subnet["network_id"] = network
        reply = await self.user.call(
            "POST", "/network/v2.0/subnets", {"subnet": subnet}
        )
        self.assertEqual(201, reply.code, reply.json)
        body = {
            "name": self.name,
            "config_drive": False,
            "networks": [{"uuid": network}],
            **await self.user.ids("m1.small", NAME),
        }
        reply = await self.user.call("POST", "/compute/v2.1/servers", {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        server = reply.json["server"]["id"]
        self.later(self._cleaned, server)
        name = f"snf-{await self.number(server)}"
        said = await serial(self.cloud, name, "READY", 120)
        self.assertIn(f"METADATA {_ROOT}", said)
        self.assertIn(f"HOSTNAME {self.name}", said)
        await self.user.until(server, "ACTIVE")
        await self.user.delete(server, 120)
