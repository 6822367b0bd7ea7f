"""Guests get their addresses from the nfdhcpd of their node, and say so."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from twisted.internet.threads import deferToThread

from snf.allinone import daemons
from snf.allinone.machine import Machine
from snf.allinone.process import Daemon
from snf.allinone.scripts import QUEUES
from tests.live.cloud import LiveTestCase, eventually, kill, serial
from tests.live.nodes import NodesTestCase
from tests.live.test_interfaces import InterfacesTestCase
from tests.live.test_networks import PRIVATE4, PRIVATE6

_SERVER = "192.0.2.1"
"""What nfdhcpd calls itself."""
_DNS = "10.99.0.53"
_SAID = (
    "until grep '^ADDRESSES {nic} ' /tmp/said; do sleep 1; done; cat /tmp/said;"
    " echo TO''LD\n"
)
_RENEW = "kill -USR1 $(pidof udhcpc)\n"


class LeaseTests(InterfacesTestCase):
    """The public network, and one of a user's."""

    async def test_first_server(self) -> None:
        """A new server answers the outside at what DHCP and its router told it."""
        server = await self.made(image="tiny")
        name = f"snf-{await self.number(server)}"
        said = await serial(self.cloud, name, "READY")
        shown = await self.user.until(server, "ACTIVE")
        four, six = [one["addr"] for one in shown["addresses"]["default"]]
        self.assertIn(f"LEASE bound eth0 {four}/24 from {_SERVER} for 604800 s", said)
        self.assertIn(f"ADVERTISED eth0 {six}/64", said)
        await self.until_answers(four, six)
        typed = "ip route; ip -6 route; echo ROU''TES\n"
        routes = await serial(self.cloud, name, "ROUTES", typed=typed)
        gateway = self.cloud.ganeti.switch.public.gateway4
        self.assertIn(f"default via {gateway} dev eth0", routes)
        self.assertRegex(routes, "default via fe80::[0-9a-f:]+ dev eth0")
        renewed = f"LEASE renew eth0 {four}/24 from {_SERVER}"
        await serial(self.cloud, name, renewed, typed=_RENEW)
        await self.until_answers(four, six)

    async def test_attached(self) -> None:
        """A NIC that is plugged in on a user's network gets all that the network has."""
        network = await self._network_with_names()
        server, name = await self.booted()
        made = await self.attach(server, network)
        four, six = [one["ip_address"] for one in made["fixed_ips"]]
        said = await serial(self.cloud, name, "TOLD", typed=_SAID.format(nic="eth1"))
        self.assertIn(f"LEASE bound eth1 {four}/24 from {_SERVER}", said)
        self.assertIn(f"ADVERTISED eth1 {six}/64", said)
        typed = "cat /etc/resolv.conf /sys/class/net/eth1/mtu; ip route; echo SE''EN\n"
        seen = await serial(self.cloud, name, "SEEN", typed=typed)
        self.assertIn(f"nameserver {_DNS}", seen)
        self.assertRegex(seen, r"(?m)^1450\r?$")
        # Its members reach each other there; the way out stays the public network.
        self.assertIn("default via", seen)
        self.assertNotRegex(seen, "default .*eth1")
        await self.detach(server, made["port_id"])

    async def test_without(self) -> None:
        """Where IPv4 has no DHCP nobody answers it, and the guest is told otherwise."""
        network = await self.neutron("networks", {"name": f"live-{uuid4().hex[:6]}"})
        four = {"cidr": PRIVATE4, "ip_version": 4, "enable_dhcp": False}
        six = {"cidr": PRIVATE6, "ip_version": 6}
        six |= {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        for wanted in (four, six):
            await self.neutron("subnets", {"network_id": network, **wanted})
        body = {
            "name": f"live-{uuid4().hex[:6]}",
            "networks": [{"uuid": network}],
            **await self.user.ids("m1.tiny", "tiny"),
        }
        reply = await self.user.call("POST", "/compute/v2.1/servers", {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        server = reply.json["server"]["id"]
        self.later(self._cleaned, server)
        name = f"snf-{await self.number(server)}"
        said = await serial(self.cloud, name, "READY")
        self.assertNotIn("LEASE", said)
        self.assertIn("ADVERTISED eth0", said)
        self.assertRegex(said, r"ADDRESSES eth0 10\.99\.0\.[0-9]+/24 fd99:")
        # Nor when it asks after all.
        typed = "udhcpc -i eth0 -n -q -t 2 -T 1; echo ASK''ED\n"
        asked = await serial(self.cloud, name, "ASKED", typed=typed)
        self.assertIn("no lease", asked)
        await self.user.until(server, "ACTIVE")
        await self.user.delete(server)

    async def _network_with_names(self) -> str:
        network = await self.neutron("networks", {"name": f"live-{uuid4().hex[:6]}"})
        for wanted in (
            {"cidr": PRIVATE4, "ip_version": 4, "gateway_ip": None},
            {"cidr": PRIVATE6, "ip_version": 6, "gateway_ip": None},
        ):
            more: dict[str, Any] = {"dns_nameservers": [_DNS]}
            if wanted["ip_version"] == 6:
                more = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
            await self.neutron("subnets", {"network_id": network, **wanted, **more})
        return network


class NodeTests(NodesTestCase):
    """A cluster of several nodes, each with an nfdhcpd."""

    async def test_other_node(self) -> None:
        """A guest that has moved is answered where it is, also when it boots there."""
        server, name = await self.booted()
        first = await self.machine_of(name)
        await self._renewed(name)
        await self.inside("gnt-instance", "migrate", "-f", name)
        second = await self.machine_of(name)
        self.assertEqual(self.other_than(first), second)
        await self._renewed(name)
        self.assertEqual(202, await self.user.act(server, {"reboot": {"type": "HARD"}}))

        async def booted_there() -> bool:
            try:
                said = await serial(self.cloud, name, "READY", timeout_s=120)
            except AssertionError:  # what was there before the reboot has ended
                return False
            return "LEASE bound eth0" in said and "ADVERTISED eth0" in said

        await eventually(booted_there, f"{name} boots on its second node", 120)
        await self.user.until(server, "ACTIVE")
        self.assertEqual(second, await self.machine_of(name))

    async def _renewed(self, name: str) -> None:
        await serial(self.cloud, name, "LEASE renew eth0", typed=_RENEW)


class HealingTests(LiveTestCase):
    """What ``./cloud up`` mends."""

    async def test_mended(self) -> None:
        """A daemon that has died and rules that somebody removed are there again."""
        machine = self.cloud.ganeti.master
        daemon = daemons.nfdhcpd(self.cloud.layout, machine)
        await self._inside(machine, QUEUES, "down")
        with self.assertRaisesRegex(Exception, "rules"):
            await self._inside(machine, QUEUES, "check")
        await self._killed(daemon)
        stopped = [part.name for part in self.cloud.status() if part.pid is None]
        self.assertEqual(["twistd nfdhcpd"], stopped)
        await self.restart_daemons()
        self.assertIsNotNone(daemon.pid())
        await self._inside(machine, QUEUES, "check")

    async def test_warned(self) -> None:
        """Where rules are missing as it starts, it says which, in one line."""
        machine = self.cloud.ganeti.master
        daemon = daemons.nfdhcpd(self.cloud.layout, machine)
        self.addCleanup(self.restart_daemons)
        await self._inside(machine, QUEUES, "down")
        await self._killed(daemon)
        before = daemon.log.stat().st_size
        await deferToThread(daemon.start)

        async def warned() -> list[str]:
            with daemon.log.open("rb") as log:
                log.seek(before)
                text = log.read().decode()
            return re.findall(".*no rule.*", text)

        lines = await eventually(warned, "a warning", 30)
        self.assertEqual(1, len(lines), lines)
        for queue in ("42 (dhcp)", "43 (rs)", "44 (ns)", "45 (dhcpv6)"):
            self.assertIn(queue, lines[0])

    async def _killed(self, daemon: Daemon) -> None:
        kill(daemon.pid())

        async def dead() -> bool:
            return daemon.pid() is None

        await eventually(dead, "it ends", 10)

    async def _inside(self, machine: Machine, *command: str) -> str:
        run = machine.namespace.run
        words: Sequence[str] = command
        return await deferToThread(run, "nfdhcpd: rules", words)
