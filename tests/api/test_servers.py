"""``/compute/*/servers``."""

from snf.testing.world import ALICE, SMALL, TINY
from tests.api.case import ROOT, ApiTestCase

SERVERS = "/compute/v2.1/servers"


class CreateTests(ApiTestCase):
    """``POST /servers``."""

    def test_accepted(self) -> None:
        """A new server is accepted, named in Location, and building."""
        reply = self.create()
        self.assertEqual(202, reply.code, reply.text)
        server = reply.json["server"]["id"]
        self.assertEqual(f"{ROOT}{SERVERS}/{server}", reply.header("Location"))
        shown = self.call("GET", f"{SERVERS}/{server}", by=ALICE).json["server"]
        self.assertEqual("BUILD", shown["status"])

    def create(self, **changes):
        body = {"name": "web", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        return self.call("POST", SERVERS, {"server": body | changes}, by=ALICE)
