"""``/compute/{version}/{project}``: URLs that name the project, as clients of old."""

from uuid import UUID, uuid4

from snf.testing.world import ADMIN, ALICE, BOB, PROJECT_A, PROJECT_B
from tests.api.case import ROOT, SERVERS, ApiTestCase


class ProjectTests(ApiTestCase):
    """What is below a project's id is what is there without it."""

    def test_same(self) -> None:
        """Everything is there, in every version, however the id is written."""
        server = self.server()
        for version in ("v1.1", "v2", "v2.1"):
            for project in (str(PROJECT_A.id), PROJECT_A.id.hex.upper()):
                below = f"/compute/{version}/{project}"
                for path in ("servers", "servers/detail", "flavors", "images/detail"):
                    reply = self.call("GET", f"{below}/{path}", by=ALICE)
                    self.assertEqual(200, reply.code, reply.text)
                reply = self.call("GET", f"{below}/servers/{server}", by=ALICE)
                self.assertEqual(server, reply.json["server"]["id"])
                self.assertEqual(200, self.call("GET", below).code)
                self.assertEqual(200, self.call("GET", f"{below}/").code)

    def test_links(self) -> None:
        """Links lead to where the client is, also to the next page."""
        first, _ = self.server(), self.server()
        below = f"/compute/v2/{PROJECT_A.id}"
        reply = self.call("GET", f"{below}/servers?limit=1", by=ALICE).json
        [server] = reply["servers"]
        href = f"{ROOT}{below}/servers/{server['id']}"
        self.assertEqual(href, server["links"][0]["href"])
        path = reply["servers_links"][0]["href"].removeprefix(ROOT)
        self.assertTrue(path.startswith(below), path)
        [server] = self.call("GET", path, by=ALICE).json["servers"]
        self.assertEqual(first, server["id"])

    def test_create(self) -> None:
        """A new server's place is below the project too."""
        below = f"/compute/v2/{PROJECT_A.id}/servers"
        shown = self.shown(self.server())
        body = {
            "name": "x",
            "flavorRef": shown["flavor"]["id"],
            "imageRef": shown["image"]["id"],
        }
        reply = self.call("POST", below, {"server": body}, by=ALICE)
        self.assertEqual(202, reply.code, reply.text)
        place = f"{ROOT}{below}/{reply.json['server']['id']}"
        self.assertEqual(place, reply.header("Location"))

    def test_others(self) -> None:
        """Another project's id is a 400, for admins too, and nothing happens."""
        server = self.server()
        for user, project in ((BOB, PROJECT_A), (ALICE, PROJECT_B), (ADMIN, PROJECT_A)):
            below = f"/compute/v2.1/{project.id}/servers"
            for method, path in (
                ("GET", below),
                ("GET", f"{below}/{server}"),
                ("DELETE", f"{below}/{server}"),
            ):
                reply = self.call(method, path, by=user)
                self.assertEqual(400, reply.code, reply.text)
                self.assertIn("project_id", reply.json["badRequest"]["message"])
        self.assertEqual("spawning", self.shown(server)["OS-EXT-STS:task_state"])

    def test_nobody(self) -> None:
        """Without a token it is a 401, with one for no project a 403."""
        path = f"/compute/v2/{PROJECT_A.id}/servers"
        self.assertEqual(401, self.call("GET", path).code)
        headers = self.unscoped(ALICE)
        self.assertEqual(403, self.call("GET", path, headers=headers).code)

    def test_missing(self) -> None:
        """What is no id, or two of them, leads nowhere."""
        one = PROJECT_A.id
        for path in ("alpha/servers", f"{one}/{one}/servers", f"{one}/nope", "%ff/x"):
            reply = self.call("GET", f"/compute/v2/{path}", by=ALICE)
            self.assertEqual(404, reply.code, path)
        reply = self.call("GET", f"{SERVERS}/{uuid4()}/servers", by=ALICE)
        self.assertEqual(404, reply.code)

    def test_elsewhere(self) -> None:
        """Other services have no such places."""
        for path in (f"/network/v2.0/{one}/ports" for one in (UUID(int=1), uuid4())):
            self.assertEqual(404, self.call("GET", path, by=ALICE).code)
