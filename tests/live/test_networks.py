"""Networks on the nodes of a real cluster: addresses, firewall, NICs, migration."""

from ipaddress import IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import frozen
from twisted.internet.threads import deferToThread

from snf.allinone.machine import Machine
from snf.allinone.public import TABLE
from tests.live.cloud import LiveTestCase, connects, eventually, serial
from tests.live.nodes import NodesTestCase
from tests.live.pinging import Pinging
from tests.node.inside import answers
from tests.node.lab import NodeNamespace

PROGRAM = "/usr/local/lib/ganeti/snf-network"
PRIVATE4, PRIVATE6 = "10.99.0.0/24", "fd99::/64"
_SEGMENT = 4_000_001
_MOST_S = 2.0
"""What a migration may lose."""


@frozen
class Guest:
    """An instance that was made at Ganeti, with a NIC on the public network.

    ``port`` is the name of that NIC.
    """

    name: str
    port: str
    address4: str
    address6: str


class NetworksTestCase(LiveTestCase):
    """A test with networks and guests that only Ganeti knows of."""

    timeout = 400

    async def network(self, mode: str, link: str, tags: str, *words: str) -> str:
        """Return the name of a new network of the cluster."""
        name = f"live-{uuid4().hex[:6]}"
        await self.inside(
            *("gnt-network", "add", "--no-conflicts-check", f"--tags={tags}"),
            *(*words, name),
        )
        self.later(self.inside, "gnt-network", "remove", name)
        await self.inside(
            *("gnt-network", "connect", "--no-conflicts-check", "-N"),
            *(f"mode={mode},link={link}", name),
        )
        self.later(self.inside, "gnt-network", "disconnect", name)
        return name

    async def public(self) -> str:
        """Return the name of a network like the public one."""
        instance = self.cloud.instance
        public = self.cloud.ganeti.switch.public
        return await self.network(
            *("routed", TABLE, "ip-less-routed,public,nfdhcpd"),
            f"--network={instance.public4}",
            f"--gateway={public.gateway4}",
            f"--network6={instance.public6}",
            f"--gateway6={public.gateway6}",
        )

    async def private(self) -> str:
        """Return the name of a VXLAN network."""
        return await self.network(
            *("openvswitch", f"snfv{_SEGMENT}", f"vxlan,vni:{_SEGMENT},private"),
            *(f"--network={PRIVATE4}", f"--network6={PRIVATE6}"),
        )

    async def guest(self, number: int, public: str, *words: str) -> Guest:
        """Return a guest that has booted, with further NICs as gnt-instance has them."""
        name, port = f"live-{uuid4().hex[:6]}", f"snf-nic-{uuid4()}"
        # Above those that the cloud gives to servers.
        address = str(self.cloud.instance.public4[250 + number])
        await self.inside(
            *("gnt-instance", "add", "-t", "sharedfile", "-s", "128M"),
            *("-o", "cyclades+default", "-H", "kvm", "--no-name-check"),
            *("--no-ip-check", "--net", f"0:network={public},ip={address},name={port}"),
            *(*words, name),
        )
        self.later(self.remove, name)
        await serial(self.cloud, name, "READY")
        out = await self.inside(
            "gnt-instance", "list", "--no-headers", "-onic.mac/0", name
        )
        address6 = eui64(self.cloud.instance.public6, out.strip())
        return Guest(name, port, address, address6)

    async def remove(self, name: str) -> None:
        """Remove an instance, if it is there."""
        if name in await self.instances():
            await self.inside(
                "gnt-instance", "remove", "-f", "--shutdown-timeout=0", name
            )

    async def neutron(self, collection: str, wanted: dict[str, Any]) -> str:
        """Make something of the network API, which is deleted after the test; its id."""
        path, kind = f"/network/v2.0/{collection}", collection.removesuffix("s")
        reply = await self.user.call("POST", path, {kind: wanted})
        self.assertEqual(201, reply.code, reply.json)
        self.later(self.user.call, "DELETE", f"{path}/{reply.json[kind]['id']}")
        return str(reply.json[kind]["id"])

    async def users_network(self, name: str) -> str:
        """Make a private network of the user's, for both families; its id."""
        network = await self.neutron("networks", {"name": name})
        for cidr in (PRIVATE4, PRIVATE6):
            version = ip_network(cidr).version
            more = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
            subnet = {"network_id": network, "cidr": cidr, "ip_version": version}
            await self.neutron("subnets", subnet | (more if version == 6 else {}))
        return network

    def join(self, machine: Machine, segment: int) -> None:
        """Make a node a member of a private network, to ping from there."""
        machine.namespace.bridge.shell(
            f"ip addr add {ip_network(PRIVATE4)[200]}/24 dev snfv{segment};"
            f" ip addr add {ip_network(PRIVATE6)[200]}/64 dev snfv{segment} nodad"
        )

    async def until_answers(self, *addresses: str) -> None:
        """Wait until addresses answer pings of the host."""
        for address in addresses:

            async def there(address: str = address) -> bool:
                return await deferToThread(answers, address, 0.5)

            await eventually(there, f"{address} answers", 30)

    async def settled(self, machine: Machine) -> dict[str, str]:
        """Return all that a node's networks have changed, once there is a base."""
        await deferToThread(_warm, machine)
        return await deferToThread(_state, machine)


class ServerTests(NetworksTestCase):
    """What users get."""

    async def test_first_server(self) -> None:
        """A server has its addresses when it is up, and answers the host at them."""
        server = await self.made(image="tiny")
        name = f"snf-{await self.number(server)}"
        said = await serial(self.cloud, name, "READY")
        shown = await self.user.until(server, "ACTIVE")
        addresses = [one["addr"] for one in shown["addresses"]["default"]]
        self.assertEqual([4, 6], [ip_address(one).version for one in addresses])
        for address in addresses:
            self.assertIn(f" {address}/", said)
        await self.until_answers(*addresses)
        await self.user.delete(server)
        for address in addresses:
            self.assertFalse(await deferToThread(answers, address, 0.5))

    async def test_private_network(self) -> None:
        """Two servers hear each other on their owner's network, and only they are on it."""
        name = f"live-{uuid4().hex[:6]}"
        network = await self.users_network(name)
        [public] = self.query("SELECT id::text FROM network WHERE is_default")
        wires = [{"uuid": public[0]}, {"uuid": network}]
        one, two = [await self._wired(wires) for _ in range(2)]
        shown = await self.user.until(two, "ACTIVE")
        await self.user.until(one, "ACTIVE")
        typed = "".join(
            f"until ping -c 1 -w 1 {address['addr']}; do :; done; "
            for address in shown["addresses"][name]
        )
        guest = f"snf-{await self.number(one)}"
        await serial(self.cloud, guest, "HEARD", typed=f"{typed} echo HEA''RD\n")
        for server in (one, two):
            await self.user.delete(server)

    async def _wired(self, networks: list[dict[str, str]]) -> str:
        """Return a new server on these networks, whose guest has booted."""
        body = {
            "name": f"live-{uuid4().hex[:6]}",
            "networks": networks,
            **await self.user.ids("m1.tiny", "tiny"),
        }
        reply = await self.user.call("POST", "/compute/v2.1/servers", {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        server = reply.json["server"]["id"]
        self.later(self._cleaned, server)
        await serial(self.cloud, f"snf-{await self.number(server)}", "READY")
        return server


class FirewallTests(NetworksTestCase):
    """Profiles of a running guest."""

    async def test_takes_effect(self) -> None:
        """A tag and an order later ports are closed, or open again; ping always passes."""
        guest = await self.guest(1, await self.public())
        await self.until_answers(guest.address4, guest.address6)
        typed = "httpd -p 80 -h /; httpd -p 22 -h /; echo LISTEN''ING\n"
        await serial(self.cloud, guest.name, "LISTENING", typed=typed)
        await self._has(guest, {80: True, 22: True})
        for profile, ports in (
            ("protected", {80: False, 22: False}),
            ("limited", {80: False, 22: True}),
            ("unprotected", {80: True, 22: True}),
        ):
            await self._tagged(guest, profile)
            await self._has(guest, ports)

    async def _tagged(self, guest: Guest, profile: str) -> None:
        command = ("gnt-instance", "list-tags", guest.name)
        if before := (await self.inside(*command)).split():
            await self.inside("gnt-instance", "remove-tags", guest.name, *before)
        tag = f"synnefo:network:{guest.port}:{profile}"
        await self.inside("gnt-instance", "add-tags", guest.name, tag)
        # Whatever is modified: the hook sees to the tags.
        await self.inside(
            *("gnt-instance", "modify", "-B", "auto_balance=true", guest.name)
        )

    async def _has(self, guest: Guest, ports: dict[int, bool]) -> None:
        for address in (guest.address4, guest.address6):
            for port, opened in ports.items():
                found = await deferToThread(connects, address, port)
                self.assertEqual(opened, found, f"{address} port {port}")
        await self.until_answers(guest.address4, guest.address6)


class ComingAndGoingTests(NetworksTestCase):
    """NICs of a running guest, and what is left of a guest that is gone."""

    async def test_private_nic(self) -> None:
        """A NIC on a private network comes and goes while the guest runs."""
        public, private = await self.public(), await self.private()
        one, two = await self.guest(1, public), await self.guest(2, public)
        machines = self.cloud.ganeti.machines
        before = [await self.settled(machine) for machine in machines]
        for number, guest in enumerate((one, two), 1):
            await self.inside(
                *("gnt-instance", "modify", "--hotplug", "--net"),
                *(f"add:network={private},ip=10.99.0.{number}", guest.name),
            )
            # The guest's kernel may not have found it yet.
            typed = (
                "until ip link set eth1 up 2>/dev/null; do sleep 1; done;"
                f" ip addr add 10.99.0.{number}/24 dev eth1; echo RE''ADY\n"
            )
            await serial(self.cloud, guest.name, "READY", typed=typed)
        ping = "until ping -c 1 -w 1 10.99.0.2; do :; done; echo HEA''RD\n"
        await serial(self.cloud, one.name, "HEARD", typed=ping)
        for guest in (one, two):
            await self.inside(
                "gnt-instance", "modify", "--hotplug", "--net", "1:remove", guest.name
            )
            await self.until_answers(guest.address4, guest.address6)
        after = [await self.settled(machine) for machine in machines]
        self.assertEqual(before, after)

    async def test_nothing_left(self) -> None:
        """With a guest all that its nodes have had for it is gone."""
        public, private = await self.public(), await self.private()
        machines = self.cloud.ganeti.machines
        before = [await self.settled(machine) for machine in machines]
        guest = await self.guest(
            1, public, "--net", f"1:network={private},ip=10.99.0.1"
        )
        await self.until_answers(guest.address4, guest.address6)
        with_it = [await self.settled(machine) for machine in machines]
        self.assertNotEqual(before, with_it)
        await self.remove(guest.name)
        after = [await self.settled(machine) for machine in machines]
        self.assertEqual(before, after)

    async def test_no_way_out(self) -> None:
        """A guest reaches the host, and the host sends nothing of it beyond."""
        guest = await self.guest(1, await self.public())
        await self.until_answers(guest.address4, guest.address6)
        beyond = "; ".join(
            f"ping -c 1 -w 2 {one}" for one in ("203.0.113.7", "2001:db8::7")
        )
        said = await serial(
            self.cloud, guest.name, "TRIED", typed=f"{beyond}; echo TR''IED\n"
        )
        self.assertEqual(2, said.count("100% packet loss"))


class MigrationTests(NetworksTestCase, NodesTestCase):
    """A guest that goes to the other node, with all its NICs."""

    async def test_under_ping(self) -> None:
        """It answers all the while but two seconds, and the old node forgets it."""
        public, private = await self.public(), await self.private()
        nic = f"1:network={private},ip=10.99.0.1"
        witness = await self.guest(
            2, public, "--net", f"1:network={private},ip=10.99.0.2"
        )
        guest = await self.guest(1, public, "--net", nic)
        await self.until_answers(guest.address4, guest.address6)
        inner = eui64(IPv6Network(PRIVATE6), await self._mac(guest.name, 1))
        where = await self.machine_of(witness.name)
        self.join(where, _SEGMENT)
        silences = []
        for _ in range(3):
            old = await self.machine_of(guest.name)
            silences.append(await self._migrated(guest, inner, where))
            new = self.other_than(old)
            self.assertEqual(new, await self.machine_of(guest.name))
            for machine, number in ((new, 2), (old, 0)):
                listed = await deferToThread(
                    machine.namespace.run, "listing", [PROGRAM, "list"]
                )
                self.assertEqual(number, listed.count(f" {guest.name} "))
            text = str(await deferToThread(_state, old))
            for address in (guest.address4, guest.address6):
                self.assertNotIn(address, text)
        self.assertLess(max(silences), _MOST_S, silences)

    async def _mac(self, name: str, nic: int) -> str:
        field = f"-onic.mac/{nic}"
        return (
            await self.inside("gnt-instance", "list", "--no-headers", field, name)
        ).strip()

    async def _migrated(self, guest: Guest, inner: str, witness: Machine) -> float:
        """Migrate a guest under pings; the longest silence in seconds."""
        namespace = witness.node.namespace
        pinging = [
            Pinging(guest.address4),
            Pinging(guest.address6),
            Pinging("10.99.0.1", namespace),
            Pinging(inner, namespace),
        ]
        try:
            await self.inside("gnt-instance", "migrate", "-f", guest.name)
            await self.until_answers(guest.address4, guest.address6)
        finally:
            silences = [await deferToThread(one.ended) for one in pinging]
        return max(silences)


def eui64(network: IPv6Network, mac: str) -> str:
    """Return the address that a NIC makes itself (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    octets[3:3] = b"\xff\xfe"
    return str(network[int.from_bytes(octets, "big")])


def _state(machine: Machine) -> dict[str, str]:
    kept = {
        name: "\n".join(sorted(path.name for path in _path(machine, name).glob("*")))
        for name in ("snf-network", "nfdhcpd")
    }
    namespace = NodeNamespace(machine.node.namespace, Path(), "")
    return namespace.state() | kept


def _path(machine: Machine, name: str) -> Path:
    return machine.namespace.path(f"/run/ganeti/{name}")


def _warm(machine: Machine) -> None:
    """Have the tables and the rule that the first NIC brings, and that stay."""
    run = machine.namespace.run
    run("a tap", ["ip", "tuntap", "add", "live0", "mode", "tap"])
    try:
        variables = "INTERFACE=live0 MODE=routed INSTANCE=live MAC=aa:00:00:00:00:01"
        run("a NIC", ["env", *variables.split(), f"LINK={TABLE}", PROGRAM, "up"])
    finally:
        run("no tap", ["ip", "link", "del", "live0"])
        run("no NIC", [PROGRAM, "gc"])
