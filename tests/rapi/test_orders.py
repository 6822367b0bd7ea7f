"""What is asked of Ganeti for an order."""

from urllib.parse import urlencode
from uuid import UUID

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.guest import Parameters
from snf.core.naming import order_id, osparams_order
from snf.core.order import Build, Kind, NicRequest, Order, Reinstall, Sizes
from snf.rapi.orders import (
    Request,
    after,
    firewall,
    hotplug_word,
    image,
    request,
    untag,
)

SIZES = Sizes(vcpus=2, ram_mib=512, disk_gib=3)
NIC = NicRequest("snf-nic-1", "aa:00:00:00:00:01", None, network=UUID(int=5))
BUILD = Build(vcpus=1, ram_mib=64, disk_gib=1, disk_template="file", os="x")

# A FIREWALL and an IMAGE are several, and for a REBUILD Ganeti takes no reason.
_OTHERS = (Kind.FIREWALL, Kind.IMAGE, Kind.REBUILD)
ONE_CALL = [kind for kind in Kind if kind not in _OTHERS]
REINSTALL = Reinstall(UUID(int=6), "x+y", os_parameters={"a": "b", "order": "none"})


class RequestTests(SynchronousTestCase):
    """``request``; how Ganeti understands it is the contract's matter."""

    @given(st.uuids(), st.sampled_from(ONE_CALL), st.booleans())
    def test_reason(self, id: UUID, kind: Kind, hard: bool) -> None:
        """Every request names its order in its URL, in ASCII."""
        order = Order(id, 1, kind, build=BUILD, hard=hard, sizes=SIZES, nic=NIC)
        [reason] = [
            value for key, value in request(order, "snf-1", 9).query if key == "reason"
        ]
        self.assertTrue(reason.isascii())
        self.assertEqual(id, order_id(reason))

    def test_paths(self) -> None:
        """Each kind has its own URL; only a creation names the machine in its body."""
        self.assertEqual(
            [
                ("POST", "/2/instances"),
                ("PUT", "/2/instances/snf-1/startup"),
                ("PUT", "/2/instances/snf-1/shutdown"),
                ("POST", "/2/instances/snf-1/reboot"),
                ("DELETE", "/2/instances/snf-1"),
                ("POST", "/2/instances/snf-1/disk/0/grow"),
                ("PUT", "/2/instances/snf-1/modify"),
                ("PUT", "/2/instances/snf-1/modify"),
                ("PUT", "/2/instances/snf-1/modify"),
                ("PUT", "/2/instances/snf-1/failover"),
                ("PUT", "/2/instances/snf-1/migrate"),
                ("PUT", "/2/instances/snf-1/failover"),
            ],
            [(asked.method, asked.path) for asked in self.all_kinds()],
        )

    def test_rebuild(self) -> None:
        """Its parameters say whose it is, and it can neither wait nor have secrets."""
        order = Order(UUID(int=1), 1, Kind.REBUILD, reinstall=REINSTALL)
        asked = request(order, "snf-1", 9, parameters=Parameters({"hostname": "h"}))
        self.assertEqual(
            ("POST", "/2/instances/snf-1/reinstall", ()),
            (asked.method, asked.path, asked.query),
        )
        body = dict(asked.body or {})
        self.assertEqual(order.id, osparams_order(body["osparams"]))
        self.assertEqual(
            {
                "os": "x+y",
                "start": True,
                "osparams": {"a": "b", "hostname": "h", "order": str(order.id)},
            },
            body,
        )
        secret = Parameters({}, {"guest": "s"})
        self.assertRaises(ValueError, request, order, "snf-1", 9, 7)
        self.assertRaises(ValueError, request, order, "snf-1", 9, parameters=secret)
        nothing = Order(UUID(int=1), 1, Kind.REBUILD)
        self.assertRaises(ValueError, request, nothing, "snf-1", 9)

    def test_told(self) -> None:
        """A build has its second disk, and what its guest is told is kept nowhere."""
        build = evolve(BUILD, drive=True, os_parameters={"a": "b"})
        order = Order(UUID(int=1), 1, Kind.CREATE, build=build)
        told = Parameters({"hostname": "h"}, {"guest": "hunter2"})
        asked = request(order, "snf-1", 9, parameters=told)
        body = dict(asked.body or {})
        self.assertEqual(
            [{"size": 1024}, {"size": 16, "name": "configdrive"}], body["disks"]
        )
        self.assertEqual({"a": "b", "hostname": "h"}, body["osparams"])
        self.assertEqual({"guest": "hunter2"}, body["osparams_secret"])
        self.assertNotIn("hunter2", repr(asked))
        plain = dict(request(evolve(order, build=BUILD), "snf-1", 9).body or {})
        self.assertNotIn("osparams_secret", plain)

    def test_firewall(self) -> None:
        """Tags are added before any is removed, some at a time; then the node is told."""
        order = Order(UUID(int=1), 1, Kind.FIREWALL)
        many = {f"snf:rule:{n}" for n in range(40)}
        steps = firewall(order, "snf-1", "os+v", many, {"synnefo:network:0:limited"})
        asked = [one for [one] in steps]
        self.assertEqual(
            [
                ("PUT", "/2/instances/snf-1/tags", 32),
                ("PUT", "/2/instances/snf-1/tags", 8),
                ("DELETE", "/2/instances/snf-1/tags", 1),
                ("PUT", "/2/instances/snf-1/modify", 0),
            ],
            [
                (one.method, one.path, [name for name, _ in one.query].count("tag"))
                for one in asked
            ],
        )
        reason = ("reason", "cyclades:00000000-0000-0000-0000-000000000001")
        self.assertEqual({reason}, {one.query[-1] for one in asked})
        self.assertEqual({"os_name": "os+v", "force": True}, asked[-1].body)
        self.assertEqual(
            {"depends": [[7, ["success"]]]}, dict(after(asked[0], 7).body or {})
        )
        self.assertRaises(ValueError, request, order, "snf-1", 9)

    def test_firewall_together(self) -> None:
        """What need not follow each other is one step, if it is few tags."""
        order = Order(UUID(int=1), 1, Kind.FIREWALL)

        def steps(count: int) -> list[list[str]]:
            add, remove = {f"a{n}" for n in range(count)}, {"b"}
            found = firewall(order, "snf-1", "os", add, remove, together=True)
            return [[one.method for one in step] for step in found]

        self.assertEqual([["PUT", "DELETE"], ["PUT"]], steps(32))
        self.assertEqual([["PUT"], ["PUT"], ["DELETE"], ["PUT"]], steps(33))
        last = Request("PUT", "/2/instances/snf-1/modify", (), {"force": True})
        self.assertEqual(
            {"force": True, "depends": [[7, ["success"]], [8, ["success"]]]},
            dict(after(last, 7, 8).body or {}),
        )

    def test_firewall_first_line(self) -> None:
        """The longest tags there can be fit into the first line that Ganeti reads."""
        order = Order(UUID(int=1), 1, Kind.FIREWALL)
        tag = (
            f"snf:rule:{UUID(int=1)}:6:udplite:65534-65535:{':'.join(['ffff'] * 8)}/128"
        )
        tags = {f"{tag[:-1]}{n}"[:128] for n in range(100, 200)}
        for [one] in firewall(order, "snf-1.example.org", "os", tags, set()):
            self.assertLess(len(urlencode(one.query)) + len(one.path) + 200, 8192)

    def test_no_dependency(self) -> None:
        """Nothing is waited for that is not named."""
        for asked in self.all_kinds():
            self.assertNotIn("depends", asked.body or {})

    def test_nothing_to_build(self) -> None:
        """A creation that does not say of what is a mistake of ours."""
        order = Order(id=UUID(int=1), server=1, kind=Kind.CREATE)
        self.assertRaises(ValueError, request, order, "snf-1", 9)

    def test_sizes(self) -> None:
        """Both ways of resizing name what is to be, not what is to be added."""
        bodies = [
            request(Order(UUID(int=1), 1, kind, sizes=SIZES), "snf-1", 9).body
            for kind in (Kind.GROW, Kind.MODIFY)
        ]
        beparams = {"vcpus": 2, "minmem": 512, "maxmem": 512}
        self.assertEqual(
            [
                {"amount": 3072, "absolute": True, "wait_for_sync": False},
                {"beparams": beparams, "force": False},
            ],
            bodies,
        )

    def test_no_sizes(self) -> None:
        """A resize that does not say how large is a mistake of ours."""
        for kind in (Kind.GROW, Kind.MODIFY):
            order = Order(id=UUID(int=1), server=1, kind=kind)
            self.assertRaises(ValueError, request, order, "snf-1", 9)

    def test_nics(self) -> None:
        """A NIC comes with its network, and goes by its name."""
        bodies = [
            request(Order(UUID(int=1), 1, kind, nic=NIC), "s", 9, hotplug="hot").body
            for kind in (Kind.ATTACH, Kind.DETACH)
        ]
        added = {
            "name": "snf-nic-1",
            "mac": "aa:00:00:00:00:01",
            "network": f"snf-net-{UUID(int=5)}",
        }
        self.assertEqual(
            [
                {"nics": [["add", -1, added]], "hot": True},
                {"nics": [["remove", "snf-nic-1", {}]], "hot": True},
            ],
            bodies,
        )
        for kind in (Kind.ATTACH, Kind.DETACH):
            order = Order(id=UUID(int=1), server=1, kind=kind)
            self.assertRaises(ValueError, request, order, "snf-1", 9)

    def test_image(self) -> None:
        """Old tags go, new ones come, a change of nothing reads them, and they go."""
        order = Order(UUID(int=1), 1, Kind.IMAGE)
        self.assertRaises(ValueError, request, order, "snf-1", 9)
        tags, begin, last = image(order, "snf-1", "cyclades+x", {"b", "a"}, {"old"})
        path, reason = "/2/instances/snf-1", ("reason", f"cyclades:{order.id}")
        named = (("tag", "a"), ("tag", "b"), reason)
        self.assertEqual(
            (
                Request("DELETE", f"{path}/tags", (("tag", "old"), reason), {}),
                Request("PUT", f"{path}/tags", named, {}),
            ),
            tags,
        )
        body = {"os_name": "cyclades+x", "force": True}
        self.assertEqual(Request("PUT", f"{path}/modify", (reason,), body), begin)
        self.assertEqual(Request("DELETE", f"{path}/tags", named, {}), last)
        tags, _, _ = image(order, "snf-1", "cyclades+x", {"a"}, set())
        self.assertEqual(["PUT"], [asked.method for asked in tags])
        left = untag("snf-1", {"old"})
        self.assertEqual(("DELETE", f"{path}/tags"), (left.method, left.path))
        self.assertNotIn(reason, left.query)

    def test_hotplug(self) -> None:
        """Each version of Ganeti is told in its own words to hotplug where it can."""
        for version, word in (
            ("2.16.2", "hotplug_if_possible"),
            ("3.0.2", "hotplug_if_possible"),
            ("3.1.0", "hotplug"),
            ("3.10.0~rc1", "hotplug"),
            ("4.0", "hotplug"),
            ("unknown", "hotplug"),
        ):
            self.assertEqual(word, hotplug_word(version), version)

    def test_secrets(self) -> None:
        """What is in a body does not show where requests are printed."""
        build = Build(1, 64, 1, "file", "x", os_parameters={"password": "hunter2"})
        order = Order(id=UUID(int=1), server=1, kind=Kind.CREATE, build=build)
        self.assertNotIn("hunter2", repr(request(order, "snf-1", 9)))

    def all_kinds(self):
        return [
            request(
                Order(UUID(int=1), 1, kind, build=BUILD, sizes=SIZES, nic=NIC),
                "snf-1",
                9,
            )
            for kind in ONE_CALL
        ]
