"""``/identity/v2.0``, which libcloud, pkgcloud and novaclient may speak."""

from typing import Any
from uuid import uuid4

from snf.testing.world import ALICE, BOB, PASSWORD, PROJECT_A, PROJECT_B
from tests.api.case import ApiTestCase, Reply

V2 = "/identity/v2.0"


class V2Tests(ApiTestCase):
    """Logging in and what comes of it."""

    def enter(
        self, user: str = "alice", password: str = PASSWORD, **more: Any
    ) -> Reply:
        """Log in by name."""
        who = {"username": user, "password": password}
        body = {"auth": {"passwordCredentials": who} | more}
        return self.call("POST", f"{V2}/tokens", body)

    def test_log_in(self) -> None:
        """By the name or the id of a tenant, the token works everywhere."""
        for tenant in ({"tenantName": "alpha"}, {"tenantId": PROJECT_A.id.hex}):
            reply = self.enter(**tenant)
            self.assertEqual(200, reply.code, reply.text)
            access = reply.json["access"]
            self.assertEqual("alpha", access["token"]["tenant"]["name"])
            self.assertEqual(str(ALICE.id), access["user"]["id"])
            self.assertRegex(access["token"]["expires"], r"^\d+-\d\d-\d\dT[\d:]{8}Z$")
            headers = {"X-Auth-Token": access["token"]["id"]}
            for service in access["serviceCatalog"]:
                [endpoint] = service["endpoints"]
                self.assertEqual(
                    {"id", "region", "publicURL", "internalURL", "adminURL"},
                    set(endpoint),
                )
                if service["type"] == "compute":
                    path = endpoint["publicURL"].removeprefix("http://cloud.test:8774")
                    self.assertTrue(path.endswith(f"/v2/{PROJECT_A.id}"))
                    reply = self.call("GET", f"{path}/servers", headers=headers)
                    self.assertEqual(200, reply.code, reply.text)

    def test_exchange(self) -> None:
        """A token without a tenant is good for the list of tenants and an exchange."""
        self.sql("UPDATE user_account SET default_project = NULL")
        access = self.enter().json["access"]
        self.assertEqual([], access["serviceCatalog"])
        token = access["token"]["id"]
        headers = {"X-Auth-Token": token}
        found = self.call("GET", f"{V2}/tenants", headers=headers).json["tenants"]
        self.assertEqual(["alpha"], [one["name"] for one in found])
        body = {"auth": {"token": {"id": token}, "tenantId": found[0]["id"]}}
        reply = self.call("POST", f"{V2}/tokens", body)
        self.assertEqual(200, reply.code, reply.text)
        roles = reply.json["access"]["user"]["roles"]
        self.assertEqual([{"name": "member"}, {"name": "reader"}], roles)

    def test_refused(self) -> None:
        """Whatever is wrong, it is the same 401."""
        for reply in (
            self.enter(password="x"),
            self.enter("nobody"),
            self.enter("a\0"),
            self.enter(tenantName="beta"),
            self.enter(tenantName="a\0"),
            self.enter(tenantId=str(PROJECT_B.id)),
            self.enter(tenantId=str(uuid4())),
            self.enter(tenantId="x"),
        ):
            self.assertEqual(401, reply.code, reply.text)

    def test_nonsense(self) -> None:
        """What is missing or of the wrong type is a 400 that names it."""
        for auth in (
            {},
            {"passwordCredentials": {}},
            {"passwordCredentials": {"password": "x"}},
            {"passwordCredentials": {"password": 1, "username": "x"}},
            {"token": {}},
            {"token": {"id": "x"}, "tenantName": 1},
        ):
            reply = self.call("POST", f"{V2}/tokens", {"auth": auth})
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn("auth", reply.message)

    def test_discovery(self) -> None:
        """It tells that it is there, and that it is old."""
        version = self.call("GET", f"{V2}/").json["version"]
        self.assertEqual(("v2.0", "deprecated"), (version["id"], version["status"]))
        self.assertEqual(["alpha"], self._tenants(ALICE))
        self.assertEqual(["beta"], self._tenants(BOB))

    def _tenants(self, user: Any) -> list[str]:
        found = self.call("GET", f"{V2}/tenants", by=user).json["tenants"]
        return [one["name"] for one in found]
