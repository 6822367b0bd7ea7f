"""Quotas: how they are set and told, and what comes of them."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.api.compute.build import Builder
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Life, Observed
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    LARGE,
    PROJECT_A,
    PROJECT_ADMIN,
    PROJECT_B,
    READER,
    SMALL,
)
from tests.api.case import SERVERS, ApiTestCase, Reply

SETS = "/compute/v2.1/os-quota-sets"
MINE = f"{SETS}/{PROJECT_A.id}"
LIMITS = "/compute/v2.1/limits"
NETWORK = f"/network/v2.0/quotas/{PROJECT_A.id}"


class QuotaTestCase(ApiTestCase):
    """Quotas of alice's project."""

    def set(self, by: Any = ADMIN, **limits: Any) -> Reply:
        """Set limits."""
        return self.call("PUT", MINE, {"quota_set": limits}, by=by)

    def limits(self) -> dict[str, Any]:
        """Return what alice is told at a glance."""
        reply = self.call("GET", LIMITS, by=ALICE)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["limits"]["absolute"]


class CreateTests(QuotaTestCase):
    """What quotas do to servers."""

    def test_over(self) -> None:
        """A server that is one too many is refused in Nova's words, and leaves nothing."""
        self.set(cores=5)
        self.server(flavorRef=str(LARGE.id))
        reply = self.create(flavorRef=str(LARGE.id))
        self.assertEqual(403, reply.code)
        self.assertEqual(
            "Quota exceeded for cores: Requested 4, but already used 4 of 5 cores",
            reply.json["forbidden"]["message"],
        )
        self.assertEqual(4, self.limits()["totalCoresUsed"])
        self.assertEqual([(1,)], self.sql("SELECT count(*) FROM server"))
        self.assertEqual([(1,)], self.sql("SELECT count(*) FROM port"))
        self.server(flavorRef=str(SMALL.id))

    def test_every_resource(self) -> None:
        """Each limit holds by itself."""
        for body, path in (
            ({"quota_set": {"instances": 0}}, MINE),
            ({"quota_set": {"cores": 0}}, MINE),
            ({"quota_set": {"ram": 127}}, MINE),
            ({"quota_set": {"fixed_ips": 0}}, MINE),
            ({"quota_set": {"SNF:disk": 0}}, MINE),
            ({"quota": {"port": 0}}, NETWORK),
        ):
            self.assertEqual(200, self.call("PUT", path, body, by=ADMIN).code)
            reply = self.create()
            self.assertEqual(403, reply.code, body)
            [[name]] = list(body.values())
            self.assertIn(name.removeprefix("SNF:"), reply.message)
            self.call("DELETE", path, by=ADMIN)
            self.assertEqual(202, self.create(by=BOB).code)
        self.assertEqual(202, self.create().code)

    def test_defaults(self) -> None:
        """The configuration's limits hold where nothing is set, for each project."""
        limits = {**NO_LIMITS, Resource.INSTANCES: 1}
        self.builder = Builder(limits=limits)
        self.site = self.new_site(limits)
        self.assertEqual(202, self.create().code)
        self.assertEqual(403, self.create().code)
        self.assertEqual(202, self.create(by=BOB).code)
        self.assertEqual(1, self.limits()["maxTotalInstances"])
        self.set(instances=-1)
        self.assertEqual(202, self.create().code)
        shown = self.call("GET", f"{MINE}/defaults", by=ALICE).json["quota_set"]
        self.assertEqual(1, shown["instances"])

    def test_given_back(self) -> None:
        """What a server held is given back when it is gone, however it goes, once."""
        self.set(instances=1)
        server = self.server()
        self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
        self.assertEqual(0, self.limits()["totalInstancesUsed"])
        server = self.server()
        life = Life(Observed.UP)
        self.live(server, life)
        for _ in range(2):
            self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
            self.assertEqual(1, self.limits()["totalInstancesUsed"])
        gone = evolve(life, observed=Observed.GONE, deletion_asked=True)
        self.live(server, gone)
        absolute = self.limits()
        for name in ("Instances", "Cores", "RAM"):
            self.assertEqual(0, absolute[f"total{name}Used"], name)
        self.assertEqual(202, self.create().code)


class SetTests(QuotaTestCase):
    """``os-quota-sets``, ``limits`` and the network API's ``quotas``."""

    def test_shown(self) -> None:
        """Everything that clients look for is there, with what was set."""
        reply = self.set(instances=3, cores=-1, ram=1024)
        self.assertEqual(200, reply.code, reply.text)
        shown = self.call("GET", MINE, by=READER).json["quota_set"]
        self.assertEqual(reply.json["quota_set"] | {"id": str(PROJECT_A.id)}, shown)
        self.assertEqual(
            {
                *("id", "cores", "fixed_ips", "floating_ips", "instances", "ram"),
                *("injected_file_content_bytes", "injected_file_path_bytes"),
                *("injected_files", "key_pairs", "metadata_items", "SNF:disk"),
                *("security_group_rules", "security_groups"),
                *("server_group_members", "server_groups"),
            },
            set(shown),
        )
        self.assertEqual(
            (3, -1, 1024), (shown["instances"], shown["cores"], shown["ram"])
        )
        self.server()
        detail = self.call("GET", f"{MINE}/detail", by=ALICE).json["quota_set"]
        self.assertEqual({"limit": 3, "in_use": 1, "reserved": 0}, detail["instances"])
        self.assertEqual(128, detail["ram"]["in_use"])

    def test_reset(self) -> None:
        """What was set can be forgotten; that of others stays."""
        self.set(instances=3)
        self.call(
            "PUT",
            f"{SETS}/{PROJECT_B.id}",
            {"quota_set": {"instances": 4}},
            by=ADMIN,
        )
        self.assertEqual(202, self.call("DELETE", MINE, by=ADMIN).code)
        self.assertEqual(-1, self.limits()["maxTotalInstances"])
        theirs = self.call("GET", f"{SETS}/{PROJECT_B.id}", by=BOB).json["quota_set"]
        self.assertEqual(4, theirs["instances"])

    def test_below_what_is_used(self) -> None:
        """A limit below what is used takes force, and takes nothing away."""
        self.server()
        self.server()
        reply = self.set(instances=1)
        self.assertEqual(400, reply.code)
        self.assertIn("instances", reply.message)
        self.assertEqual(200, self.set(instances=1, force=True).code)
        self.assertEqual(2, self.limits()["totalInstancesUsed"])
        self.assertEqual(403, self.create().code)

    def test_wrong(self) -> None:
        """What makes no sense is a 400 that names the field, and changes nothing."""
        for limits in (
            {"instances": -2},
            {"instances": 2**31},
            {"instances": "3"},
            {"instances": None},
            {"instances": 1.5},
            {"instances": True},
            {"cores": []},
            {"ram": {}},
            {"force": 1},
            {"key_pairs": 3},
            {"colour": 3},
        ):
            reply = self.set(**limits)
            self.assertEqual(400, reply.code, limits)
            [field] = limits
            self.assertIn(field, reply.message)
        self.assertEqual([], self.sql("SELECT most FROM quota_limit"))

    def test_other_projects(self) -> None:
        """Another project's are for admins, whether it is there or not."""
        nobody = uuid4()
        for path in ("", "/defaults", "/detail"):
            for project in (PROJECT_B.id, nobody, "x"):
                reply = self.call("GET", f"{SETS}/{project}{path}", by=ALICE)
                self.assertEqual(403, reply.code)
            reply = self.call("GET", f"{SETS}/{PROJECT_B.id}{path}", by=ADMIN)
            self.assertEqual(200, reply.code)
            for project in (nobody, "x"):
                reply = self.call("GET", f"{SETS}/{project}{path}", by=ADMIN)
                self.assertEqual(400, reply.code)
        reply = self.call("GET", f"/network/v2.0/quotas/{PROJECT_B.id}", by=ALICE)
        self.assertEqual(403, reply.code)
        reply = self.call("GET", f"{LIMITS}?tenant_id={PROJECT_B.id}", by=ALICE)
        self.assertEqual(403, reply.code)
        reply = self.call("GET", f"{LIMITS}?tenant_id={PROJECT_B.id}", by=ADMIN)
        self.assertEqual(200, reply.code)

    def test_admins_only(self) -> None:
        """No project sets its own limits."""
        for by in (ALICE, READER):
            self.assertEqual(403, self.set(by, instances=3).code)
            self.assertEqual(403, self.call("DELETE", MINE, by=by).code)
            body = {"quota": {"port": 3}}
            self.assertEqual(403, self.call("PUT", NETWORK, body, by=by).code)
            self.assertEqual(403, self.call("DELETE", NETWORK, by=by).code)
        self.assertEqual([], self.sql("SELECT most FROM quota_limit"))

    def test_network(self) -> None:
        """Ports are the network API's to set and to show."""
        self.assertEqual(-1, self.call("GET", NETWORK, by=ALICE).json["quota"]["port"])
        body = {"quota": {"port": 3}}
        reply = self.call("PUT", NETWORK, body, by=ADMIN)
        self.assertEqual((200, 3), (reply.code, reply.json["quota"]["port"]))
        self.assertEqual(3, self.call("GET", NETWORK, by=ALICE).json["quota"]["port"])
        self.server()
        shown = self.call("GET", f"{NETWORK}/details", by=ALICE).json["quota"]["port"]
        self.assertEqual({"limit": 3, "used": 1, "reserved": 0}, shown)
        body = {"quota": {"port": 0, "check_limit": True}}
        reply = self.call("PUT", NETWORK, body, by=ADMIN)
        self.assertEqual(400, reply.code)
        self.assertIn("port", reply.message)
        self.call("DELETE", MINE, by=ADMIN)
        self.assertEqual(3, self.call("GET", NETWORK, by=ALICE).json["quota"]["port"])
        self.assertEqual(204, self.call("DELETE", NETWORK, by=ADMIN).code)
        self.assertEqual(-1, self.call("GET", NETWORK, by=ALICE).json["quota"]["port"])
        default = self.call("GET", f"{NETWORK}/default", by=ALICE)
        self.assertEqual(-1, default.json["quota"]["port"])

    def test_versions(self) -> None:
        """Younger versions tell nothing of networks, images and files."""
        gone = {"fixed_ips", "floating_ips", "security_groups", "injected_files"}
        headers = {"OpenStack-API-Version": "compute latest"}
        reply = self.call("GET", MINE, by=ALICE, headers=headers)
        self.assertEqual(set(), gone & reply.json["quota_set"].keys())
        detail = self.call("GET", f"{MINE}/detail", by=ALICE, headers=headers)
        self.assertEqual(set(), gone & detail.json["quota_set"].keys())
        reply = self.call("GET", LIMITS, by=ALICE, headers=headers)
        self.assertEqual(11, len(reply.json["limits"]["absolute"]))

    def test_several(self) -> None:
        """Of several servers at once, as many are made as may be, if that is enough."""
        self.set(instances=3)
        body = {"min_count": 4, "max_count": 5}
        self.assertEqual(403, self.create(**body).code)
        self.assertEqual(0, self.limits()["totalInstancesUsed"])
        self.assertEqual(202, self.create(**{**body, "min_count": 2}).code)
        absolute = self.limits()
        self.assertEqual(
            (3, 3), (absolute["totalInstancesUsed"], absolute["totalCoresUsed"])
        )

    def test_limits(self) -> None:
        """What is there at a glance has the names that clients know."""
        self.server()
        absolute = self.limits()
        self.assertEqual(
            (1, 1, 128, -1),
            (
                absolute["totalInstancesUsed"],
                absolute["totalCoresUsed"],
                absolute["totalRAMUsed"],
                absolute["maxTotalRAMSize"],
            ),
        )
        self.assertEqual(19, len(absolute))
        reply = self.call("GET", LIMITS, by=ADMIN).json["limits"]["absolute"]
        self.assertEqual(0, reply["totalInstancesUsed"], PROJECT_ADMIN)
