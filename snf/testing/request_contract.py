"""How a Ganeti cluster understands requests: also where no job ever runs."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, ClassVar
from uuid import UUID

from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.naming import EXCLUSION
from snf.core.order import Build, Kind, NicRequest, Order, Sizes
from snf.core.wiring import Wiring
from snf.rapi import networks
from snf.rapi.errors import Refused
from snf.rapi.orders import Request, exclude, request

Submit = Callable[[Request], Awaitable[dict[str, Any]]]


_ORDER = UUID("c0ffee00-0000-4000-8000-000000000001")
_BUILD = Build(
    vcpus=2,
    ram_mib=512,
    disk_gib=10,
    disk_template="file",
    os="cyclades+default",
    hypervisor="kvm",
    hypervisor_parameters={"serial_console": True},
    os_parameters={"img_id": "1"},
    nics=(
        NicRequest("snf-nic-1", "aa:00:00:00:00:01", "10.0.0.1", "bridged", "br0"),
        NicRequest("snf-nic-2", "aa:00:00:00:00:02", None, "routed", "main"),
    ),
)


class _RequestTests(TestCase):
    """Each kind of order is the opcode with the parameters that are meant."""

    create: ClassVar[Callable[[TestCase], Submit]]

    def setUp(self) -> None:
        self.opcode = type(self).create(self)

    async def understood(self, kind: Kind, **more: Any) -> dict[str, Any]:
        order = Order(id=_ORDER, server=7, kind=kind, **more)
        opcode = await self.opcode(request(order, "snf-7", 90, after_job=12))
        self.assertEqual("snf-7", opcode["instance_name"])
        self.assertEqual([[12, []]], opcode["depends"])
        reasons = [reason for _, reason, _ in opcode["reason"]]
        self.assertEqual(f"cyclades:{_ORDER}", reasons[0])
        return opcode

    def assert_holds(self, expected: dict[str, Any], opcode: dict[str, Any]) -> None:
        self.assertEqual(expected, {name: opcode.get(name) for name in expected})

    async def test_create(self) -> None:
        """Everything that a build names arrives, and nothing is checked by name."""
        opcode = await self.understood(Kind.CREATE, build=_BUILD)
        self.assert_holds(
            {
                "OP_ID": "OP_INSTANCE_CREATE",
                "mode": "create",
                "os_type": "cyclades+default",
                "osparams": {"img_id": "1"},
                "disk_template": "file",
                "disks": [{"size": 10 * 1024}],
                "nics": [
                    {
                        "name": "snf-nic-1",
                        "mac": "aa:00:00:00:00:01",
                        "ip": "10.0.0.1",
                        "mode": "bridged",
                        "link": "br0",
                    },
                    {
                        "name": "snf-nic-2",
                        "mac": "aa:00:00:00:00:02",
                        "mode": "routed",
                        "link": "main",
                    },
                ],
                "hypervisor": "kvm",
                "hvparams": {"serial_console": True},
                "beparams": {"vcpus": 2, "minmem": 512, "maxmem": 512},
                "start": True,
                "no_install": None,
                "name_check": False,
                "ip_check": False,
                "wait_for_sync": False,
                "pnode": None,
            },
            opcode,
        )

    async def test_tags(self) -> None:
        """A build's tags arrive, and the tag by which the cluster heeds them."""
        build = evolve(_BUILD, tags=("cyclades:apart:1.0",))
        opcode = await self.understood(Kind.CREATE, build=build)
        self.assertEqual(["cyclades:apart:1.0"], opcode["tags"])
        opcode = await self.opcode(exclude("why"))
        self.assert_holds(
            {"OP_ID": "OP_TAGS_SET", "kind": "cluster", "tags": [EXCLUSION]}, opcode
        )
        self.assertEqual("why", opcode["reason"][0][1])

    async def test_create_without_disks(self) -> None:
        """0 GiB is a diskless machine, whatever the template; it is started too."""
        build = evolve(_BUILD, disk_gib=0, hypervisor=None)
        opcode = await self.understood(Kind.CREATE, build=build)
        self.assert_holds(
            {
                "disk_template": "diskless",
                "disks": [],
                "hypervisor": None,
                "start": True,
                "no_install": None,
            },
            opcode,
        )

    async def test_others(self) -> None:
        """What stops a guest says how long it has; what moves it, where to."""
        for kind, more, expected in (
            (Kind.START, {}, {"OP_ID": "OP_INSTANCE_STARTUP"}),
            (Kind.STOP, {}, {"OP_ID": "OP_INSTANCE_SHUTDOWN", "timeout": 90}),
            (
                Kind.REBOOT,
                {"hard": False},
                {
                    "OP_ID": "OP_INSTANCE_REBOOT",
                    "reboot_type": "hard",
                    "shutdown_timeout": 90,
                },
            ),
            (
                Kind.REBOOT,
                {"hard": True},
                {
                    "OP_ID": "OP_INSTANCE_REBOOT",
                    "reboot_type": "hard",
                    "shutdown_timeout": 0,
                },
            ),
            (
                Kind.DELETE,
                {},
                {"OP_ID": "OP_INSTANCE_REMOVE", "shutdown_timeout": 0},
            ),
            (
                Kind.MIGRATE,
                {"node": "node2"},
                {
                    "OP_ID": "OP_INSTANCE_FAILOVER",
                    "shutdown_timeout": 90,
                    "ignore_consistency": False,
                    "target_node": "node2",
                    "ignore_ipolicy": False,
                },
            ),
            (
                Kind.MIGRATE_LIVE,
                {"node": "node2", "force": True},
                {
                    "OP_ID": "OP_INSTANCE_MIGRATE",
                    "mode": "live",
                    "allow_failover": False,
                    "target_node": "node2",
                    "ignore_ipolicy": True,
                },
            ),
            (
                Kind.EVACUATE,
                {},
                {
                    "OP_ID": "OP_INSTANCE_FAILOVER",
                    "shutdown_timeout": 90,
                    "ignore_consistency": True,
                    "target_node": None,
                },
            ),
        ):
            self.assert_holds(expected, await self.understood(kind, **more))

    async def test_resizing(self) -> None:
        """Both ways of making a machine larger name what is to be."""
        sizes = Sizes(vcpus=2, ram_mib=512, disk_gib=3)
        self.assert_holds(
            {
                "OP_ID": "OP_INSTANCE_SET_PARAMS",
                "beparams": {"vcpus": 2, "minmem": 512, "maxmem": 512},
                "force": True,
            },
            await self.understood(Kind.MODIFY, sizes=sizes, force=True),
        )
        self.assert_holds(
            {
                "OP_ID": "OP_INSTANCE_GROW_DISK",
                "disk": 0,
                "amount": 3072,
                "absolute": True,
                "wait_for_sync": False,
            },
            await self.understood(Kind.GROW, sizes=sizes),
        )

    async def test_nics(self) -> None:
        """A NIC is added behind the others, and removed by its name."""
        nic = evolve(_BUILD.nics[0], mode=None, link=None, network=_ORDER)
        added = {
            "name": "snf-nic-1",
            "mac": "aa:00:00:00:00:01",
            "ip": "10.0.0.1",
            "network": f"snf-net-{_ORDER}",
        }
        for kind, change in (
            (Kind.ATTACH, ["add", -1, added]),
            (Kind.DETACH, ["remove", "snf-nic-1", {}]),
        ):
            self.assert_holds(
                {
                    "OP_ID": "OP_INSTANCE_SET_PARAMS",
                    "nics": [change],
                    "hotplug_if_possible": True,
                },
                await self.understood(kind, nic=nic),
            )

    async def test_networks(self) -> None:
        """A network is made with all that is known of it, and without what is not."""
        whole = Wiring(
            network=_ORDER,
            mode="openvswitch",
            link="snfv7",
            range4=IPv4Network("10.0.0.0/24"),
            gateway4=ip_address("10.0.0.1"),
            range6=IPv6Network("2001:db8::/64"),
            gateway6=ip_address("2001:db8::1"),
            mac_prefix="aa:00:01",
            tags=("vxlan", "snf:route:192.0.2.0/24@10.0.0.2"),
        )
        name = f"snf-net-{_ORDER}"
        self.assert_holds(
            {
                "OP_ID": "OP_NETWORK_ADD",
                "network_name": name,
                "network": "10.0.0.0/24",
                "gateway": "10.0.0.1",
                "network6": "2001:db8::/64",
                "gateway6": "2001:db8::1",
                "mac_prefix": "aa:00:01",
                "conflicts_check": False,
                "tags": ["vxlan", "snf:route:192.0.2.0/24@10.0.0.2"],
            },
            await self.opcode(networks.add(whole)),
        )
        bare = await self.opcode(networks.add(Wiring(_ORDER, "routed", "main")))
        self.assert_holds(
            {"network": "10.0.0.0/29", "gateway": None, "network6": None, "tags": []},
            bare,
        )
        self.assert_holds(
            {
                "OP_ID": "OP_NETWORK_CONNECT",
                "network_name": name,
                "group_name": "default",
                "network_mode": "openvswitch",
                "network_link": "snfv7",
                "conflicts_check": False,
            },
            await self.opcode(networks.connect(whole, "default")),
        )
        found = networks.Found("10.0.0.9", None, frozenset({"snf:mtu:1400", "mine"}))
        asked = [await self.opcode(one) for one in networks.changes(whole, found)]
        change = {"gateway": "10.0.0.1", "gateway6": "2001:db8::1", "network6": None}
        of_it = {"kind": "network", "name": name}
        expected: tuple[dict[str, Any], ...] = (
            {"OP_ID": "OP_NETWORK_SET_PARAMS", "network_name": name, **change},
            {"OP_ID": "OP_TAGS_SET", **of_it, "tags": sorted(whole.tags)},
            {"OP_ID": "OP_TAGS_DEL", **of_it, "tags": ["snf:mtu:1400"]},
        )
        for wanted, opcode in zip(expected, asked, strict=True):
            self.assert_holds(wanted, opcode)
        self.assert_holds(
            {"OP_ID": "OP_NETWORK_DISCONNECT", "network_name": name},
            await self.opcode(networks.disconnect(name, "default")),
        )
        self.assert_holds(
            {"OP_ID": "OP_NETWORK_REMOVE", "network_name": name},
            await self.opcode(networks.remove(name)),
        )

    async def test_bad_bodies(self) -> None:
        """What Ganeti's own definitions do not allow is refused by name."""
        order = Order(id=_ORDER, server=7, kind=Kind.CREATE, build=_BUILD)
        good = request(order, "snf-7", 90)
        for name, value in (
            ("disks", None),
            ("nics", [{"mac": 5}]),
            ("nics", [{"colour": "blue"}]),
            ("disk_template", "wooden"),
            ("hypervisor", "abacus"),
            ("depends", [["x"]]),
            ("start", "yes"),
            ("colour", "blue"),
        ):
            odd = evolve(good, body={**(good.body or {}), name: value})
            with self.assertRaises(Refused) as caught:
                await self.opcode(odd)
            self.assertEqual(400, caught.exception.status)
            self.assertIn(name, str(caught.exception))

    async def test_reason_in_the_body(self) -> None:
        """The reason belongs into the URL."""
        path = "/2/instances/snf-7/shutdown"
        with self.assertRaises(Refused):
            await self.opcode(Request("PUT", path, body={"reason": "x"}))


def request_tests(create: Callable[[TestCase], Submit]) -> type[TestCase]:
    """
    Return the tests that a cluster has to pass.

    ``create(case)`` returns a coroutine function that submits a request and returns
    the opcode which Ganeti makes of it.
    """
    return type("RequestTests", (_RequestTests,), {"create": staticmethod(create)})
