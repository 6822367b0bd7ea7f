"""What gets through to a server, as packets from outside find it out."""

from typing import Any
from uuid import uuid4

from attrs import frozen
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.live.cloud import LiveTestCase, connects, eventually, serial
from tests.node.inside import answers

_V2 = "/network/v2.0"
_EVERYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


@frozen
class Guest:
    """A server that listens on TCP's ports 22 and 80, at its addresses by family."""

    server: str
    port: str
    addresses: dict[int, str]


@frozen
class Open:
    """What gets through at an address."""

    ping: bool
    ssh: bool
    http: bool


_ALL = Open(ping=True, ssh=True, http=True)
_NONE = Open(ping=False, ssh=False, http=False)


class PacketsTestCase(LiveTestCase):
    """A test with a guest that listens."""

    timeout = 400

    async def listening(self) -> Guest:
        """Return a server that runs, and whose guest listens."""
        server = await self.made(image="tiny", flavor="m1.small")
        name = f"snf-{await self.number(server)}"
        await serial(self.cloud, name, "READY")
        shown = await self.user.until(server, "ACTIVE")
        typed = "httpd -p 80 -h /; httpd -p 22 -h /; echo LISTEN''ING\n"
        await serial(self.cloud, name, "LISTENING", typed=typed)
        [addresses] = shown["addresses"].values()
        reply = await self.user.call("GET", f"{_V2}/ports?device_id={server}")
        [port] = reply.json["ports"]
        return Guest(
            server, port["id"], {one["version"]: one["addr"] for one in addresses}
        )

    async def found(self, guest: Guest) -> dict[int, Open]:
        """Return what gets through to a guest just now, by family."""
        return {
            family: Open(
                await deferToThread(answers, address, 0.5),
                await deferToThread(connects, address, 22),
                await deferToThread(connects, address, 80),
            )
            for family, address in guest.addresses.items()
        }

    async def finds(self, guest: Guest, expected: dict[int, Open]) -> None:
        """Wait until exactly this gets through to a guest."""
        self.assertEqual({4, 6}, set(guest.addresses))
        last: dict[int, Open] = {}

        async def there() -> bool:
            last.update(await self.found(guest))
            return last == expected

        try:
            await eventually(there, "what is expected", 30)
        except AssertionError:
            self.assertEqual(expected, last)


class ProfileTests(PacketsTestCase):
    """Synnefo's action ``firewallProfile``."""

    async def test_changes(self) -> None:
        """Each profile lets in what it says, for both families; pings always pass."""
        guest = await self.listening()
        await self.finds(guest, {4: _ALL, 6: _ALL})
        for word, expected in (
            ("ENABLED", Open(ping=True, ssh=False, http=False)),
            ("PROTECTED", Open(ping=True, ssh=True, http=False)),
            ("DISABLED", _ALL),
            ("ENABLED", Open(ping=True, ssh=False, http=False)),
        ):
            action = {"firewallProfile": {"profile": word, "nic": guest.port}}
            self.assertEqual(202, await self.user.act(guest.server, action))
            await self.finds(guest, {4: expected, 6: expected})


class GroupTests(PacketsTestCase):
    """Security groups of a port, and their rules."""

    async def test_changes(self) -> None:
        """What a group's rules name comes in, of their family, and nothing else."""
        group = await self.group()  # first, and so deleted last
        guest = await self.listening()
        await self.put(guest, [group])
        await self.finds(guest, {4: _NONE, 6: _NONE})
        ssh = await self.rule(group, "IPv4", "tcp", port_range_min=22)
        await self.finds(guest, {4: Open(False, True, False), 6: _NONE})
        await self.rule(group, "IPv6", "ipv6-icmp")
        await self.finds(
            guest, {4: Open(False, True, False), 6: Open(True, False, False)}
        )
        # From elsewhere: it lets nobody in who asks from here.
        await self.rule(
            *(group, "IPv4", "tcp"), port_range_min=80, remote="203.0.113.0/24"
        )
        await self.rule(group, "IPv6", "tcp", port_range_min=80)
        await self.finds(
            guest, {4: Open(False, True, False), 6: Open(True, False, True)}
        )
        reply = await self.user.call("DELETE", f"{_V2}/security-group-rules/{ssh}")
        self.assertEqual(204, reply.code, reply.json)
        await self.finds(guest, {4: _NONE, 6: Open(True, False, True)})
        await self.put(guest, [])
        await self.finds(guest, {4: _NONE, 6: _NONE})

    async def test_profile_instead(self) -> None:
        """A profile holds instead of the groups, until they are set again."""
        group = await self.group()  # first, and so deleted last
        guest = await self.listening()
        await self.put(guest, [group])
        await self.finds(guest, {4: _NONE, 6: _NONE})
        action = {"firewallProfile": {"profile": "DISABLED", "nic": guest.port}}
        self.assertEqual(202, await self.user.act(guest.server, action))
        await self.finds(guest, {4: _ALL, 6: _ALL})
        await self.put(guest, [group])
        await self.finds(guest, {4: _NONE, 6: _NONE})

    async def put(self, guest: Guest, groups: list[str]) -> None:
        """Put a guest's port into groups, and into no others."""
        reply = await self.user.call(
            "PUT",
            f"{_V2}/ports/{guest.port}",
            {"port": {"security_groups": groups}},
        )
        self.assertEqual(200, reply.code, reply.json)

    async def group(self) -> str:
        """Return the id of a new group, which lets nothing in."""
        body = {"security_group": {"name": f"live-{uuid4().hex[:6]}"}}
        reply = await self.user.call("POST", f"{_V2}/security-groups", body)
        self.assertEqual(201, reply.code, reply.json)
        group = str(reply.json["security_group"]["id"])
        path = f"{_V2}/security-groups/{group}"
        self.addCleanup(lambda: ensureDeferred(self.user.call("DELETE", path)))
        return group

    async def rule(
        self, group: str, family: str, protocol: str, remote: str = "", **more: Any
    ) -> str:
        """Return the id of a new rule that lets something in."""
        if "port_range_min" in more:
            more["port_range_max"] = more["port_range_min"]
        rule = {
            "security_group_id": group,
            "direction": "ingress",
            "ethertype": family,
            "protocol": protocol,
            "remote_ip_prefix": remote or _EVERYWHERE[family],
            **more,
        }
        body = {"security_group_rule": rule}
        reply = await self.user.call("POST", f"{_V2}/security-group-rules", body)
        self.assertEqual(201, reply.code, reply.json)
        return str(reply.json["security_group_rule"]["id"])
