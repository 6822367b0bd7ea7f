"""Flavors that operators make, and who may use them."""

from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.storage import flavors
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    LARGE,
    PROJECT_A,
    PROJECT_B,
    READER,
    SMALL,
)
from tests.api.case import ApiTestCase, Reply

FLAVORS = "/compute/v2.1/flavors"
LATEST = {"OpenStack-API-Version": "compute latest"}
SIZES = {"name": "new", "ram": 256, "vcpus": 2, "disk": 3}


class FlavorTestCase(ApiTestCase):
    """What operators do, and others see."""

    def make(self, by: Any = ADMIN, **changes: Any) -> Reply:
        """Make a flavor, in the newest version."""
        body = {"flavor": {**SIZES, **changes}}
        return self.call("POST", FLAVORS, body, by=by, headers=LATEST)

    def made(self, **changes: Any) -> str:
        """Return the id of a new flavor."""
        reply = self.make(**changes)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["flavor"]["id"]

    def private(self) -> str:
        """Return the id of a new flavor that nobody may use yet."""
        return self.made(**{"os-flavor-access:is_public": False})

    def names(self, query: str = "", by: Any = ALICE) -> set[str]:
        """Return the names that a list has."""
        reply = self.call("GET", f"{FLAVORS}{query}", by=by)
        self.assertEqual(200, reply.code, reply.text)
        return {one["name"] for one in reply.json["flavors"]}

    def access(self, flavor: str, verb: str, project: Any, by: Any = ADMIN) -> Reply:
        """Let a project use a flavor, or not."""
        body = {f"{verb}TenantAccess": {"tenant": str(project)}}
        return self.call("POST", f"{FLAVORS}/{flavor}/action", body, by=by)


class MakeTests(FlavorTestCase):
    """Making, describing and deleting them."""

    def test_make(self) -> None:
        """A new flavor has what was asked for, and servers can be made of it."""
        wanted = str(uuid4())
        reply = self.make(id=wanted, description="for tests")
        flavor = reply.json["flavor"]
        self.assertEqual(
            (wanted, "new", 256, 2, 3, True, "file", "for tests", {}),
            tuple(
                flavor[key]
                for key in (
                    *("id", "name", "ram", "vcpus", "disk"),
                    *("os-flavor-access:is_public", "SNF:disk_template"),
                    *("description", "extra_specs"),
                )
            ),
        )
        shown = self.call("GET", f"{FLAVORS}/{wanted}", by=ALICE, headers=LATEST)
        self.assertEqual(flavor, shown.json["flavor"])
        self.server(flavorRef=wanted)

    def test_as_clients_make(self) -> None:
        """Clients say "nothing" of what they do not want."""
        for number, extra in enumerate(
            (
                {"id": "auto", "swap": 0, "rxtx_factor": 1.0},
                {"id": None, "OS-FLV-EXT-DATA:ephemeral": 0, "rxtx_factor": 1},
                {"OS-FLV-DISABLED:disabled": False, "description": None},
            )
        ):
            self.made(name=f"f{number}", **extra)

    def test_taken(self) -> None:
        """A name or an id that there is is a 409; that of a deleted one is free."""
        flavor = self.made()
        self.assertEqual(409, self.make().code)
        self.assertEqual(409, self.make(name="other", id=flavor).code)
        self.call("DELETE", f"{FLAVORS}/{flavor}", by=ADMIN)
        self.assertEqual(409, self.make(id=flavor).code)
        self.made()

    def test_disk_template(self) -> None:
        """It need not be given where there is only one."""
        self.assertEqual(
            "drbd",
            self.make(**{"SNF:disk_template": "drbd"}).json["flavor"][
                "SNF:disk_template"
            ],
        )
        none = self.make(name="none", disk=0).json["flavor"]
        self.assertEqual("diskless", none["SNF:disk_template"])
        reply = self.make(name="other")
        self.assertEqual(400, reply.code)
        self.assertIn("SNF:disk_template", reply.message)

    def test_wrong(self) -> None:
        """What makes no sense is a 400 that names the field; nothing is made."""
        for field, values in {
            "name": ["", " ", None, 7, "x" * 256],
            "ram": [0, -1, "x", None, 1.5, 2**25],
            "vcpus": [0, 1025, True],
            "disk": [-1, [], 2**21],
            "id": ["7", "x", 7],
            "swap": [1],
            "rxtx_factor": [2.0],
            "OS-FLV-EXT-DATA:ephemeral": [1],
            "OS-FLV-DISABLED:disabled": [True],
            "os-flavor-access:is_public": ["yes", 1],
            "SNF:disk_template": ["DRBD", ""],
            "description": ["x" * 256, 7],
            "colour": ["blue"],
        }.items():
            for value in values:
                reply = self.make(**{field: value})
                self.assertEqual(400, reply.code, (field, value))
                self.assertIn(field, reply.message)
        self.assertEqual({"small", "large"}, self.names())

    def test_describe(self) -> None:
        """The description can be changed and taken back, in versions that have it."""
        path = f"{FLAVORS}/{SMALL.id}"
        for text in ("small one", None):
            body = {"flavor": {"description": text}}
            reply = self.call("PUT", path, body, by=ADMIN, headers=LATEST)
            self.assertEqual(text, reply.json["flavor"]["description"])
        body = {"flavor": {"description": "x"}}
        self.assertEqual(404, self.call("PUT", path, body, by=ADMIN).code)
        old = self.call(
            "POST", FLAVORS, {"flavor": {**SIZES, "description": "x"}}, by=ADMIN
        )
        self.assertEqual(400, old.code)

    def test_delete(self) -> None:
        """A deleted flavor is used for no new server; those there are keep it."""
        server = self.server()
        path = f"{FLAVORS}/{SMALL.id}"
        self.assertEqual(202, self.call("DELETE", path, by=ADMIN).code)
        self.assertEqual({"large"}, self.names())
        self.assertEqual(400, self.create().code)
        self.assertEqual(str(SMALL.id), self.shown(server)["flavor"]["id"])
        self.assertEqual(404, self.call("DELETE", path, by=ADMIN).code)

    def test_admins_only(self) -> None:
        """Nobody else makes, changes or deletes flavors."""
        path = f"{FLAVORS}/{SMALL.id}"
        for by in (ALICE, READER):
            self.assertEqual(403, self.make(by).code)
            self.assertEqual(403, self.call("DELETE", path, by=by).code)
            self.assertEqual(
                403, self.access(str(SMALL.id), "add", PROJECT_A.id, by).code
            )
            self.assertEqual(
                403, self.call("GET", f"{path}/os-flavor-access", by=by).code
            )
            body = {"extra_specs": {"a": "b"}}
            self.assertEqual(
                403, self.call("POST", f"{path}/os-extra_specs", body, by=by).code
            )
        self.assertEqual({"small", "large"}, self.names())


class AccessTests(FlavorTestCase):
    """Flavors that are not public."""

    def test_private(self) -> None:
        """A private flavor is not there for projects that may not use it."""
        flavor = self.private()
        self.assertEqual(200, self.access(flavor, "add", PROJECT_A.id).code)
        self.assertIn("new", self.names(by=ALICE))
        self.assertEqual(202, self.create(flavorRef=flavor).code)
        self.assertNotIn("new", self.names(by=BOB))
        for path in ("", "/os-extra_specs"):
            reply = self.call("GET", f"{FLAVORS}/{flavor}{path}", by=BOB)
            self.assertEqual(404, reply.code)
        self.assertEqual(400, self.create(by=BOB, flavorRef=flavor).code)
        self.assertEqual(200, self.access(flavor, "remove", PROJECT_A.id).code)
        self.assertNotIn("new", self.names(by=ALICE))
        self.assertEqual(400, self.create(flavorRef=flavor).code)

    def test_list(self) -> None:
        """Admins see who may use one."""
        flavor = self.private()
        path = f"{FLAVORS}/{flavor}/os-flavor-access"
        self.assertEqual([], self.call("GET", path, by=ADMIN).json["flavor_access"])
        reply = self.access(flavor, "add", PROJECT_B.id)
        entry = {"flavor_id": flavor, "tenant_id": str(PROJECT_B.id)}
        self.assertEqual({"flavor_access": [entry]}, reply.json)
        self.assertEqual(reply.json, self.call("GET", path, by=ADMIN).json)
        public = f"{FLAVORS}/{SMALL.id}/os-flavor-access"
        self.assertEqual(404, self.call("GET", public, by=ADMIN).code)

    def test_filter(self) -> None:
        """Admins choose between public, private and all; others do not."""
        self.private()
        public = {"small", "large"}
        for query, expected in (
            ("", public),
            ("?is_public=true", public),
            ("?is_public=false", {"new"}),
            ("?is_public=None", public | {"new"}),
        ):
            self.assertEqual(expected, self.names(query, ADMIN), query)
            self.assertEqual(public, self.names(query, ALICE), query)
        reply = self.call("GET", f"{FLAVORS}?is_public=x", by=ADMIN)
        self.assertEqual(400, reply.code)

    def test_sizes(self) -> None:
        """Lists can be narrowed by size."""
        self.assertEqual({"large"}, self.names("?minRam=129"))
        self.assertEqual({"large"}, self.names("?minDisk=2"))
        self.assertEqual(set(), self.names("?minDisk=2&minRam=5000"))
        for query in ("minRam=x", "minDisk=-1", "minRam="):
            self.assertEqual(400, self.call("GET", f"{FLAVORS}?{query}", by=ALICE).code)

    def test_wrong(self) -> None:
        """What cannot be, and what makes no sense."""
        flavor = self.private()
        add, remove = "add", "remove"
        self.access(flavor, add, PROJECT_A.id)
        for target, verb, project, code in (
            (flavor, add, PROJECT_A.id, 409),
            (flavor, remove, PROJECT_B.id, 404),
            (flavor, add, uuid4(), 400),
            (flavor, add, "x", 400),
            (str(SMALL.id), add, PROJECT_A.id, 409),
            (str(SMALL.id), remove, PROJECT_A.id, 409),
            (str(uuid4()), add, PROJECT_A.id, 404),
        ):
            self.assertEqual(code, self.access(target, verb, project).code)
        one = {"tenant": str(PROJECT_B.id)}
        for body in (
            {},
            {"addTenantAccess": one, "removeTenantAccess": one},
            {"addTenantAccess": {}},
            {"addTenantAccess": {"tenant": 7}},
            {"resize": one},
        ):
            reply = self.call("POST", f"{FLAVORS}/{flavor}/action", body, by=ADMIN)
            self.assertEqual(400, reply.code, body)


class SpecTests(FlavorTestCase):
    """Extra specs."""

    path = f"{FLAVORS}/{SMALL.id}/os-extra_specs"

    def specs(self) -> dict[str, str]:
        """Return what everybody sees."""
        return self.call("GET", self.path, by=ALICE).json["extra_specs"]

    def set(self, **specs: Any) -> Reply:
        """Set some."""
        return self.call("POST", self.path, {"extra_specs": specs}, by=ADMIN)

    def test_set(self) -> None:
        """What is set is added to what there is; it can be removed again."""
        self.set(**{"hw:cpu": "host"})
        self.assertEqual({"a": "1"}, self.set(a=1).json["extra_specs"])
        self.assertEqual({"hw:cpu": "host", "a": "1"}, self.specs())
        reply = self.call("PUT", f"{self.path}/a", {"a": "2"}, by=ADMIN)
        self.assertEqual((200, {"a": "2"}), (reply.code, reply.json))
        one = self.call("GET", f"{self.path}/a", by=READER)
        self.assertEqual({"a": "2"}, one.json)
        self.assertEqual(200, self.call("DELETE", f"{self.path}/a", by=ADMIN).code)
        self.assertEqual({"hw:cpu": "host"}, self.specs())
        for method in ("GET", "DELETE"):
            self.assertEqual(404, self.call(method, f"{self.path}/a", by=ADMIN).code)

    def test_shown(self) -> None:
        """Flavors show theirs, and no others."""
        self.set(a="b")
        reply = self.call("GET", f"{FLAVORS}/detail", by=ALICE, headers=LATEST)
        specs = {one["id"]: one["extra_specs"] for one in reply.json["flavors"]}
        self.assertEqual({str(SMALL.id): {"a": "b"}, str(LARGE.id): {}}, specs)

    def test_wrong(self) -> None:
        """What makes no sense is a 400, and changes nothing."""
        for specs in ({}, {"a/b": "x"}, {"a": None}, {"a": ["b"]}, {"a": "\0"}):
            reply = self.call("POST", self.path, {"extra_specs": specs}, by=ADMIN)
            self.assertEqual(400, reply.code, specs)
        for body in ({"b": "1"}, {"a": "1", "b": "1"}, {}, [], {"a": {}}):
            reply = self.call("PUT", f"{self.path}/a", body, by=ADMIN)
            self.assertEqual(400, reply.code, body)
        self.assertEqual({}, self.specs())
        self.run_in(flavors.delete, SMALL.id)
        self.assertEqual(404, self.set(a="b").code)
        self.run_in(flavors.add, evolve(SMALL, id=uuid4()))
