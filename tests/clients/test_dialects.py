"""What other clients send, as recorded from them, without the clients.

Packer (gophercloud, so Terraform's provider too), pkgcloud and kamaki do not come from
where Python packages do; kamaki runs in Python 2 only.
"""

from typing import Any
from uuid import uuid4

import requests
from attrs import frozen

from tests.clients.case import ClientTestCase


@frozen
class Plain:
    """A client that sends just what it is told."""

    base: str
    token: str

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and what the answer holds."""
        reply = requests.request(
            method,
            f"{self.base}{path}",
            json=body,
            headers={"X-Auth-Token": self.token, "Accept": "application/json"},
            timeout=60,
        )
        return reply.status_code, reply.json() if reply.content else None


class DialectTests(ClientTestCase):
    """A server's life in each dialect."""

    def compute(self, answer: dict[str, Any]) -> str:
        """Return where a catalog of the identity API v3 says that compute is."""
        [service] = [
            one for one in answer["token"]["catalog"] if one["type"] == "compute"
        ]
        [url] = [
            one["url"] for one in service["endpoints"] if one["interface"] == "public"
        ]
        return url

    def v3(self, scope: dict[str, Any], **more: Any) -> Plain:
        """Log in as the clients do that look for no versions first."""
        user = {
            "name": "demo",
            "password": self.password(),
            "domain": {"name": "Default"},
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        reply = requests.post(
            f"{self.auth_url}/auth/tokens",
            json={"auth": {"identity": identity, "scope": {"project": scope}, **more}},
            timeout=60,
        )
        self.assertEqual(201, reply.status_code, reply.text)
        return Plain(self.compute(reply.json()), reply.headers["X-Subject-Token"])

    def v2(self) -> Plain:
        """Log in by the identity API 2.0."""
        credentials = {"username": "demo", "password": self.password()}
        reply = requests.post(
            f"{self.root}/identity/v2.0/tokens",
            json={"auth": {"tenantName": "demo", "passwordCredentials": credentials}},
            timeout=60,
        )
        access = reply.json()["access"]
        [url] = [
            one["endpoints"][0]["publicURL"]
            for one in access["serviceCatalog"]
            if one["type"] == "compute"
        ]
        return Plain(url, access["token"]["id"])

    def made(self, call: Plain, **more: Any) -> str:
        """Return the id of a new server."""
        _, flavors = call("GET", "/flavors/detail")
        _, images = call("GET", "/images/detail")
        [flavor] = [one for one in flavors["flavors"] if one["name"] == "m1.tiny"]
        [image] = [one for one in images["images"] if one["name"] == "tiny"]
        server = {
            "name": f"plain-{uuid4().hex[:6]}",
            "flavorRef": flavor["id"],
            "imageRef": image["id"],
            **more,
        }
        code, answer = call("POST", "/servers", {"server": server})
        self.assertEqual(202, code, answer)
        return answer["server"]["id"]

    def rests_in(self, call: Plain, server: str, status: str) -> None:
        """Wait until it is idle in a status."""

        def rests() -> bool:
            _, answer = call("GET", f"/servers/{server}")
            shown = answer["server"]
            return (status, None) == (shown["status"], shown["OS-EXT-STS:task_state"])

        self.until(rests, f"{server} {status}")

    def acts(self, call: Plain, server: str, *steps: tuple[dict, str]) -> None:
        """Do one after the other, and wait each time."""
        self.rests_in(call, server, "ACTIVE")
        for action, status in steps:
            code, answer = call("POST", f"/servers/{server}/action", action)
            self.assertEqual(202, code, answer)
            self.rests_in(call, server, status)
        code, _ = call("DELETE", f"/servers/{server}")
        self.assertEqual(204, code)
        self.until(lambda: call("GET", f"/servers/{server}")[0] == 404, "gone")

    async def test_life(self) -> None:
        """In all of them at the same time."""
        await self.together(
            lambda journey: journey(), (self.packer, self.pkgcloud, self.kamaki)
        )

    def packer(self) -> None:
        """gophercloud's: no microversion; what is empty is sent all the same."""
        call = self.v3({"name": "demo", "domain": {"name": "Default"}})
        self.assertEqual(404, call("GET", "/flavors/m1.tiny")[0])
        server = self.made(
            call, user_data="", config_drive=False, security_groups=[], metadata={}
        )
        self.acts(
            call, server, ({"os-stop": None}, "SHUTOFF"), ({"os-start": None}, "ACTIVE")
        )

    def pkgcloud(self) -> None:
        """pkgcloud's: the project has no domain; then v2.0, with the project in URLs."""
        call = self.v3({"name": "demo"}, tenantName="demo")
        self.assertEqual(200, call("GET", "/servers/detail")[0])
        call = self.v2()
        server = self.made(call)
        self.acts(call, server, ({"reboot": {"type": "HARD"}}, "ACTIVE"))

    def is_connected(self, call: Plain, server: str) -> None:
        """It is put on a network of the project's own, and taken off it again."""
        code, answer = call("POST", "/networks", {"network": {"name": server}})
        self.assertEqual(202, code, answer)
        path = f"/networks/{answer['network']['id']}"

        def nics() -> list[str]:
            return call("GET", path)[1]["network"]["attachments"]

        code, _ = call("POST", f"{path}/action", {"add": {"serverRef": server}})
        self.assertEqual(202, code)
        [nic] = nics()
        _, answer = call("GET", f"/servers/{server}/ips")
        [shown] = [one for one in answer["attachments"] if one["id"] == nic]
        self.assertEqual("DISABLED", shown["firewallProfile"])
        self.assertTrue(shown["ipv4"].startswith("192.168.1."), shown)
        profile = {"firewallProfile": {"profile": "ENABLED", "nic": nic}}
        self.assertEqual(202, call("POST", f"/servers/{server}/action", profile)[0])
        _, answer = call("GET", f"/servers/{server}")
        profiles = [one["firewallProfile"] for one in answer["server"]["attachments"]]
        self.assertEqual(["DISABLED", "ENABLED"], profiles)
        self.assertEqual(409, call("DELETE", path)[0])
        code, _ = call("POST", f"{path}/action", {"remove": {"attachment": nic}})
        self.assertEqual(202, code)
        self.until(lambda: not nics(), f"{server} off the network")
        self.assertEqual(204, call("DELETE", path)[0])

    def kamaki(self) -> None:
        """Synnefo's: v1.1, its own names for actions, 304 where nothing has changed."""
        call = self.v2()
        call = Plain(f"{self.root}/compute/v1.1", call.token)
        server = self.made(call)
        self.rests_in(call, server, "ACTIVE")
        path = f"/servers/{server}/meta"
        code, answer = call("POST", path, {"metadata": {"os": "debian"}})
        self.assertEqual((201, {"os": "debian"}), (code, answer["metadata"]))
        code, answer = call("PUT", f"{path}/os", {"meta": {"os": "other"}})
        self.assertEqual((201, {"os": "other"}), (code, answer["meta"]))
        self.is_connected(call, server)
        later = "2999-01-01T00:00:00Z"
        self.assertEqual(304, call("GET", f"/servers/detail?changes-since={later}")[0])
        self.acts(
            call, server, ({"shutdown": {}}, "SHUTOFF"), ({"start": {}}, "ACTIVE")
        )
