"""Firewall profiles and security groups, down to the tags of a real instance."""

from typing import Any
from uuid import uuid4

from tests.live.cloud import LiveTestCase, eventually

_V2 = "/network/v2.0"


class FirewallTests(LiveTestCase):
    """A running server of the cloud."""

    async def running(self) -> tuple[str, str, str]:
        """Return a server that runs, its port, and the name of its instance."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        reply = await self.user.call("GET", f"{_V2}/ports?device_id={server}")
        [port] = reply.json["ports"]
        return server, port["id"], f"snf-{await self.number(server)}"

    async def settled(self, name: str, expected: set[str]) -> None:
        """Wait until an instance's node has been told of its tags, which are these."""
        # The node is told by a job's hook, and nothing is under way after that.
        await eventually(self._idle, "no order is open", 60)
        out = await self.inside("gnt-instance", "list-tags", name)
        self.assertEqual(expected, set(out.split()))

    async def _idle(self) -> bool:
        [(count,)] = self.query(
            "SELECT count(*) FROM orders WHERE kind = 'firewall'"
            " AND state IN ('new', 'submitting', 'submitted')"
        )
        return count == 0

    async def test_profile(self) -> None:
        """A profile is in the instance's tags, and its node has looked at them."""
        server, port, name = await self.running()
        for word, tag in (
            ("ENABLED", "protected"),
            ("PROTECTED", "limited"),
            ("DISABLED", "unprotected"),
            ("ENABLED", "protected"),
        ):
            action = {"firewallProfile": {"profile": word, "nic": port}}
            self.assertEqual(202, await self.user.act(server, action))
            expected = {f"synnefo:network:snf-nic-{port}:{tag}"}
            await self.settled(name, expected)
        failed = self.query(
            "SELECT error FROM orders WHERE kind = 'firewall' AND state <> 'done'"
        )
        self.assertEqual([], failed)

    async def test_group(self) -> None:
        """A rule of a group reaches the servers in it, and goes again with them."""
        group = await self.made_group()
        server, port, name = await self.running()
        for action in ("addSecurityGroup", "removeSecurityGroup"):
            other = {"addSecurityGroup": group, "removeSecurityGroup": "default"}
            self.assertEqual(
                202, await self.user.act(server, {action: {"name": other[action]}})
            )
        closed = f"synnefo:network:snf-nic-{port}:rules"
        await self.settled(name, {closed})
        rule = await self.made_rule(group)
        await self.settled(
            name, {closed, f"snf:rule:{port}:4:tcp:22-22:198.51.100.0/24"}
        )
        await self.user.call("DELETE", f"{_V2}/security-group-rules/{rule}")
        await self.settled(name, {closed})
        reply = await self.user.call("DELETE", f"{_V2}/security-groups/{group}")
        self.assertEqual(409, reply.code)
        await self.user.delete(server)
        reply = await self.user.call("DELETE", f"{_V2}/security-groups/{group}")
        self.assertEqual(204, reply.code)

    async def test_by_client(self) -> None:
        """The client ``openstack`` makes a group and a rule, and finds them again."""
        name = f"live-{uuid4().hex[:6]}"
        made = await self.user.openstack(
            *("security", "group", "create", "-f", "json", name)
        )
        await self.user.openstack(
            *("security", "group", "rule", "create", "--protocol", "tcp"),
            *("--dst-port", "22", "--remote-ip", "198.51.100.0/24", name),
        )
        listed = await self.user.openstack(
            *("security", "group", "rule", "list", "-f", "json", name)
        )
        self.assertIn("198.51.100.0/24", [one["IP Range"] for one in listed])
        server, _, _ = await self.running()
        await self.user.openstack("server", "add", "security", "group", server, name)
        shown = await self.user.openstack("server", "show", "-f", "json", server)
        self.assertIn(name, str(shown["security_groups"]))
        await self.user.openstack("server", "remove", "security", "group", server, name)
        await self.user.openstack("security", "group", "delete", made["id"])

    async def made_group(self) -> str:
        """Return the id of a new group."""
        body = {"security_group": {"name": f"live-{uuid4().hex[:6]}"}}
        reply = await self.user.call("POST", f"{_V2}/security-groups", body)
        self.assertEqual(201, reply.code, reply.json)
        return str(reply.json["security_group"]["id"])

    async def made_rule(self, group: str) -> str:
        """Return the id of a new rule: SSH from one network."""
        rule: dict[str, Any] = {
            "security_group_id": group,
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": 22,
            "port_range_max": 22,
            "remote_ip_prefix": "198.51.100.0/24",
        }
        body = {"security_group_rule": rule}
        reply = await self.user.call("POST", f"{_V2}/security-group-rules", body)
        self.assertEqual(201, reply.code, reply.json)
        return str(reply.json["security_group_rule"]["id"])
