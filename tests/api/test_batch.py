"""``POST /servers`` with ``min_count`` and ``max_count``."""

from snf.testing.world import ADMIN, ALICE
from tests.api.case import SERVERS, ApiTestCase


class BatchTests(ApiTestCase):
    """Several servers by one request."""

    def names(self) -> list[str]:
        """Return the names of all servers, in the order of their making."""
        return [name for (name,) in self.sql("SELECT name FROM server ORDER BY id")]

    def test_several(self) -> None:
        """Each has a number in its name, an order, an address, and the first's id."""
        reply = self.create(min_count=3, max_count=3, metadata={"a": "b"})
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(["web-1", "web-2", "web-3"], self.names())
        shown = self.shown(reply.json["server"]["id"])
        self.assertEqual("web-1", shown["name"])
        for table in ("orders", "address", "server_metadata"):
            self.assertEqual([(3,)], self.sql(f"SELECT count(*) FROM {table}"))

    def test_counts(self) -> None:
        """One of the two is enough; a single server keeps its name."""
        for counts, made in (
            ({"min_count": 2}, 2),
            ({"max_count": 2}, 2),
            ({"min_count": 1, "max_count": 1}, 1),
            ({"min_count": None, "max_count": None}, 1),
        ):
            self.sql("DELETE FROM address; DELETE FROM port")
            self.sql("DELETE FROM server_action; DELETE FROM orders")
            self.sql("DELETE FROM server")
            self.server(**counts)
            self.assertEqual(made, len(self.names()), counts)
        self.assertEqual(["web"], self.names())

    def test_reservation(self) -> None:
        """All of a request have one reservation, by which they are found."""
        reply = self.create(max_count=2, return_reservation_id=True)
        self.assertEqual(202, reply.code, reply.text)
        reservation = reply.json["reservation_id"]
        self.assertEqual({"reservation_id": reservation}, reply.json)
        self.assertRegex(reservation, "^r-")
        self.server(name="other")
        query = f"?reservation_id={reservation}"
        found = self.call("GET", f"{SERVERS}{query}", by=ALICE).json["servers"]
        self.assertEqual(["web-2", "web-1"], [server["name"] for server in found])
        url = f"{SERVERS}/{found[0]['id']}"
        shown = self.call("GET", url, by=ADMIN, version="2.3").json["server"]
        self.assertEqual(reservation, shown["OS-EXT-SRV-ATTR:reservation_id"])
        self.assertEqual(1, shown["OS-EXT-SRV-ATTR:launch_index"])

    def test_as_many_as_there_are(self) -> None:
        """Between the two it is as many as can be had; fewer are a 409, and none."""
        self.sql("UPDATE allocation_pool SET last = '192.0.2.12'")
        reply = self.create(min_count=4, max_count=9)
        self.assertEqual(409, reply.code, reply.text)
        self.assertEqual([], self.names())
        self.assertEqual([(0,)], self.sql("SELECT count(*) FROM orders"))
        reply = self.create(min_count=2, max_count=9)
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(["web-1", "web-2", "web-3"], self.names())
        for table in ("orders", "port", "address"):
            self.assertEqual([(3,)], self.sql(f"SELECT count(*) FROM {table}"))

    def test_long_names(self) -> None:
        """A name stays as short as it must be; a hostname, too."""
        reply = self.call(
            "POST",
            SERVERS,
            {
                "server": {
                    "name": "n" * 255,
                    "hostname": "h" * 63 + ".example.org",
                    "networks": "none",
                    "max_count": 2,
                    **self.source(),
                }
            },
            by=ALICE,
            version="2.94",
        )
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(["n" * 253 + "-1", "n" * 253 + "-2"], self.names())
        hosts = self.sql("SELECT hostname FROM server ORDER BY id LIMIT 1")
        self.assertEqual([("h" * 61 + "-1.example.org",)], hosts)

    def source(self) -> dict[str, str]:
        """Return what a server can be made of."""
        reply = self.call("GET", "/compute/v2.1/flavors", by=ALICE).json
        image = self.call("GET", "/compute/v2.1/images", by=ALICE).json
        return {
            "flavorRef": reply["flavors"][0]["id"],
            "imageRef": image["images"][0]["id"],
        }

    def test_refused(self) -> None:
        """Counts are whole numbers from 1 to 100, the first not above the second."""
        for counts in (
            {"min_count": 3, "max_count": 2},
            {"min_count": 0},
            {"max_count": 101},
            {"max_count": -1},
            {"max_count": 1.5},
            {"max_count": True},
            {"max_count": "2"},
            {"min_count": 2**64},
            {"return_reservation_id": "yes"},
        ):
            reply = self.create(**counts)
            self.assertEqual(400, reply.code, (counts, reply.text))
        self.assertEqual([], self.names())
