"""``/network/v2.0/networks``: made, changed and deleted."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.core.network import Kind, Plan
from snf.core.quota import NO_LIMITS, Resource
from snf.storage import networks
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    NETWORK,
    PROJECT_A,
    PROJECT_B,
    READER,
)
from tests.api.case import ApiTestCase, Reply

V2 = "/network/v2.0"

PLAN = Plan(
    user_kinds=("MAC_FILTERED", "VXLAN", "PHYSICAL_VLAN"),
    default_kind="VXLAN",
    mac_prefixes=("aa:01:0", "aa:01:1"),
    bridges=(1, 2),
    vxlan_ids=(100, 102),
)


class MakingTestCase(ApiTestCase):
    """A test that makes networks."""

    plan = PLAN

    def make(self, by: Any = ALICE, **network: Any) -> Reply:
        """Ask for a network."""
        return self.call("POST", f"{V2}/networks", {"network": network}, by=by)

    def made(self, by: Any = ALICE, **network: Any) -> dict[str, Any]:
        """Return a new network."""
        reply = self.make(by, **network)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["network"]

    def change(self, network: str, by: Any = ALICE, **changes: Any) -> Reply:
        """Ask for a change."""
        return self.call("PUT", f"{V2}/networks/{network}", {"network": changes}, by=by)

    def delete(self, network: str, by: Any = ALICE) -> Reply:
        """Ask for a deletion."""
        return self.call("DELETE", f"{V2}/networks/{network}", by=by)

    def assert_refused(self, code: int, kind: str, reply: Reply) -> None:
        """It is a refusal with Neutron's type."""
        self.assertEqual(code, reply.code, reply.text)
        self.assertEqual(kind, reply.json["NeutronError"]["type"], reply.text)

    def segments(self) -> list[Any]:
        """Return the segments of the networks that there are, also deleted ones."""
        found = self.sql(
            "SELECT segment FROM network WHERE segment IS NOT NULL ORDER BY 1"
        )
        return [segment for (segment,) in found]


class CreateTests(MakingTestCase):
    """``POST``."""

    def test_user(self) -> None:
        """A user's network is of the default kind, the project's own, and shown so."""
        network = self.made(name="mine", description="d", admin_state_up=True)
        self.assertEqual(
            ("mine", "d", str(PROJECT_A.id), False, "VXLAN", 1450, []),
            tuple(
                network[key]
                for key in (
                    *("name", "description", "project_id", "shared", "SNF:kind"),
                    *("mtu", "subnets"),
                )
            ),
        )
        self.assertNotIn("provider:network_type", network)
        shown = self.call("GET", f"{V2}/networks/{network['id']}", by=ALICE)
        self.assertEqual({"network": network}, shown.json)
        self.assertEqual(
            404, self.call("GET", f"{V2}/networks/{network['id']}", by=BOB).code
        )
        wires = self.sql(
            "SELECT kind, mode, link, segment FROM network WHERE name = 'mine'"
        )
        self.assertEqual([("VXLAN", "openvswitch", "snfv100", 100)], wires)

    def test_kinds(self) -> None:
        """Each kind has the mode, the link and the prefix that follow from it."""
        for wanted, wires in (
            ({"SNF:kind": "MAC_FILTERED"}, ("bridged", "prv0", "aa:01:0", 1500)),
            (
                {"provider:network_type": "local"},
                ("bridged", "prv0", "aa:01:1", 1500),
            ),
            ({"SNF:kind": "PHYSICAL_VLAN"}, ("bridged", "prv1", None, 1500)),
            (
                {"provider:network_type": "vlan", "provider:segmentation_id": 7},
                ("bridged", "prv7", None, 1500),
            ),
            (
                {"provider:network_type": "vxlan", "provider:segmentation_id": 5},
                ("openvswitch", "snfv5", None, 1450),
            ),
            ({"SNF:kind": "IP_LESS_ROUTED"}, ("routed", "snf_public", None, 1500)),
            (
                {
                    "provider:network_type": "flat",
                    "provider:physical_network": "br5",
                    "mtu": 9000,
                },
                ("bridged", "br5", None, 9000),
            ),
        ):
            network = self.made(ADMIN, **wanted)
            found = self.sql(
                "SELECT mode, link, mac_prefix, mtu FROM network WHERE id = %s",
                network["id"],
            )
            self.assertEqual([wires], found, wanted)

    def test_admin_sees(self) -> None:
        """Admins see how a network is made, and find it by that."""
        made = self.made()
        path = f"{V2}/networks?provider:network_type=vxlan&provider:segmentation_id=100"
        [shown] = self.call("GET", path, by=ADMIN).json["networks"]
        self.assertEqual(
            (made["id"], "vxlan", None, 100),
            (
                shown["id"],
                shown["provider:network_type"],
                shown["provider:physical_network"],
                shown["provider:segmentation_id"],
            ),
        )

    def test_bulk(self) -> None:
        """Several at once have a segment each; or none is made."""
        body = {"networks": [{"name": "a"}, {"name": "b"}]}
        reply = self.call("POST", f"{V2}/networks", body, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        self.assertEqual(["a", "b"], [one["name"] for one in reply.json["networks"]])
        self.assertEqual([100, 101], self.segments())
        reply = self.call("POST", f"{V2}/networks", body, by=ALICE)
        self.assert_refused(503, "NoNetworkAvailable", reply)
        self.assertEqual([100, 101], self.segments())

    def test_bodies(self) -> None:
        """One or several, not both and not neither."""
        for body in (
            {},
            {"network": {}, "networks": [{}]},
            {"networks": []},
            {"network": {"nothing": 1}},
            {"network": {"name": "x" * 256}},
            {"network": {"mtu": 67}},
        ):
            reply = self.call("POST", f"{V2}/networks", body, by=ADMIN)
            self.assertEqual(400, reply.code, body)

    def test_for_admins(self) -> None:
        """What is for admins is a 403 for others."""
        for wanted in (
            {"shared": True},
            {"router:external": True},
            {"is_default": True},
            {"mtu": 1400},
            {"SNF:kind": "IP_LESS_ROUTED"},
            {"SNF:kind": "CUSTOM"},
            {"provider:network_type": "vxlan"},
            {"provider:segmentation_id": 5},
            {"tenant_id": str(PROJECT_B.id)},
        ):
            self.assert_refused(403, "PolicyNotAuthorized", self.make(**wanted))
        self.assertEqual(403, self.make(READER).code)
        self.made(shared=False, tenant_id=str(PROJECT_A.id))

    def test_nonsense(self) -> None:
        """What is not to be had is named."""
        for wanted in (
            {"SNF:kind": "nothing"},
            {"provider:network_type": "gre"},
            {"provider:network_type": "flat"},
            {"provider:network_type": "local", "provider:segmentation_id": 5},
            {"admin_state_up": False},
            {"port_security_enabled": False},
            {"availability_zone_hints": ["nova"]},
            {"project_id": "x"},
        ):
            self.assert_refused(400, "InvalidInput", self.make(ADMIN, **wanted))

    def test_another_project(self) -> None:
        """Admins make networks for other projects, which count there."""
        network = self.made(ADMIN, tenant_id=str(PROJECT_A.id))
        self.assertEqual(
            200, self.call("GET", f"{V2}/networks/{network['id']}", by=ALICE).code
        )
        self.assertEqual(400, self.make(ADMIN, tenant_id=str(uuid4())).code)

    def test_segment_in_use(self) -> None:
        """A segment that a network has is no other's."""
        wanted = {"provider:network_type": "vxlan", "provider:segmentation_id": 101}
        self.made(ADMIN, **wanted)
        self.assertEqual(409, self.make(ADMIN, **wanted).code)
        for _ in range(2):
            self.made()
        self.assertEqual([100, 101, 102], self.segments())
        self.assert_refused(503, "NoNetworkAvailable", self.make())

    def test_no_pool(self) -> None:
        """A kind of which there are no segments at all is the same 503."""
        self.plan = Plan(user_kinds=("PHYSICAL_VLAN",), default_kind="PHYSICAL_VLAN")
        self.site = self.new_site()
        self.assert_refused(503, "NoNetworkAvailable", self.make())

    def test_quota(self) -> None:
        """More than the project may have is a 409, in Neutron's words."""
        self.site = self.new_site({**NO_LIMITS, Resource.NETWORKS: 1})
        network = self.made()
        reply = self.make()
        self.assert_refused(409, "OverQuota", reply)
        self.assertIn("network", reply.message)
        self.assertEqual([100], self.segments())
        path = f"{V2}/quotas/{PROJECT_A.id}/details"
        self.assertEqual(
            {"limit": 1, "used": 1, "reserved": 0},
            self.call("GET", path, by=ALICE).json["quota"]["network"],
        )
        self.assertEqual(204, self.delete(network["id"]).code)
        self.made()


class ChangeTests(MakingTestCase):
    """``PUT``."""

    def test_change(self) -> None:
        """A network's name and description, and for admins what is theirs."""
        network = self.made(name="a")["id"]
        reply = self.change(network, name="b", description="c")
        self.assertEqual(200, reply.code, reply.text)
        shown = reply.json["network"]
        self.assertEqual(
            ("b", "c", 1),
            (shown["name"], shown["description"], shown["revision_number"]),
        )
        self.assert_refused(
            403, "PolicyNotAuthorized", self.change(network, shared=True)
        )
        reply = self.change(network, ADMIN, shared=True, mtu=1300)
        self.assertEqual(
            (True, 1300), tuple(reply.json["network"][k] for k in ("shared", "mtu"))
        )
        self.assertEqual(200, self.call("GET", f"{V2}/networks/{network}", by=BOB).code)

    def test_others(self) -> None:
        """Others' are not there; a shared one is seen, and not changed."""
        network = self.made()["id"]
        self.assert_refused(404, "NetworkNotFound", self.change(network, BOB, name="x"))
        self.assert_refused(404, "NetworkNotFound", self.delete(network, BOB))
        shared = str(NETWORK.id)
        self.assert_refused(403, "PolicyNotAuthorized", self.change(shared, name="x"))
        self.assert_refused(403, "PolicyNotAuthorized", self.delete(shared))

    def test_unshare(self) -> None:
        """A network that others use stays shared."""
        self.server()
        reply = self.change(str(NETWORK.id), ADMIN, shared=False)
        self.assert_refused(409, "InvalidSharedSetting", reply)


class DeleteTests(MakingTestCase):
    """``DELETE``."""

    def test_delete(self) -> None:
        """It is gone, and its segment is free again."""
        network = self.made()["id"]
        self.assertEqual(204, self.delete(network).code)
        self.assert_refused(404, "NetworkNotFound", self.delete(network))
        self.assertEqual([], self.segments())

    def test_in_use(self) -> None:
        """One with a port is a 409, in Neutron's words."""
        self.server()
        self.assert_refused(409, "NetworkInUse", self.delete(str(NETWORK.id), ADMIN))

    def test_at_ganeti(self) -> None:
        """One of which something is at Ganeti is gone, and keeps its segment."""
        network = self.made()["id"]
        self.patch(networks, "left", lambda txn, which: set(which))
        self.assertEqual(204, self.delete(network).code)
        self.assertEqual(
            404, self.call("GET", f"{V2}/networks/{network}", by=ALICE).code
        )
        self.assertEqual([100], self.segments())
        self.assertEqual("snfv101", self.link(self.made()["id"]))

    def link(self, network: str) -> str:
        """Return a network's link."""
        [(link,)] = self.sql("SELECT link FROM network WHERE id = %s", network)
        return link

    def test_port_meanwhile(self) -> None:
        """A deleted network gets no port any more."""
        network = evolve(NETWORK, id=uuid4(), is_default=False, kind=Kind.CUSTOM)
        self.run_in(networks.add, network)
        self.sql("UPDATE network SET deleted = now() WHERE id = %s", network.id)
        reply = self.create(networks=[{"uuid": str(network.id)}])
        self.assertEqual(400, reply.code, reply.text)


class RestTests(MakingTestCase):
    """What clients look at besides."""

    def test_routers(self) -> None:
        """There are no routers, and none can be made."""
        self.assertEqual(
            {"routers": []}, self.call("GET", f"{V2}/routers", by=ALICE).json
        )
        reply = self.call("POST", f"{V2}/routers", {"router": {"name": "r"}}, by=ALICE)
        self.assert_refused(409, "NoRouters", reply)

    def test_nothing(self) -> None:
        """What there is not is a 404."""
        for path in ("agents", "subnetpools", "trunks", "network-ip-availabilities"):
            self.assertEqual(404, self.call("GET", f"{V2}/{path}", by=ADMIN).code, path)

    def test_zones(self) -> None:
        """There is one availability zone."""
        [zone] = self.call("GET", f"{V2}/availability_zones", by=ALICE).json[
            "availability_zones"
        ]
        self.assertEqual("nova", zone["name"])
