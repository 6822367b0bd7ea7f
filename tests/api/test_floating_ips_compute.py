"""What the compute API has of floating IPs."""

from typing import Any
from uuid import uuid4

from snf.testing.world import (
    ALICE,
    BOB,
    EXTERNAL,
)
from tests.api.case import Reply
from tests.api.test_floating_ips import OLD, SERVERS, FloatingTestCase


class ComputeTests(FloatingTestCase):
    """Nova's floating IPs, in the versions that have them."""

    def act(self, server: str, version: str | None = None, **body: Any) -> Reply:
        """Ask something of a server."""
        return self.call(
            "POST", f"{SERVERS}/{server}/action", body, by=ALICE, version=version
        )

    def addresses(self, server: str) -> list[tuple[str, str]]:
        shown = self.call("GET", f"{SERVERS}/{server}", by=ALICE).json["server"]
        return [
            (one["addr"], one["OS-EXT-IPS:type"])
            for places in shown["addresses"].values()
            for one in places
        ]

    def test_actions(self) -> None:
        """Servers get and lose them, and show them among their addresses."""
        server, _, fixed = self.routed()
        floating = self.new()["floating_ip_address"]
        for body in ({}, {"fixed_address": fixed}):
            given = {"address": floating, **body}
            self.assertEqual(202, self.act(server, addFloatingIp=given).code)
            self.assertEqual(
                [(fixed, "fixed"), (floating, "floating")], self.addresses(server)
            )
            gone = self.act(server, removeFloatingIp={"address": floating})
            self.assertEqual(202, gone.code)
            self.assertEqual([(fixed, "fixed")], self.addresses(server))

    def test_refused(self) -> None:
        """What is not there, and not the server's, is said."""
        server, _, _ = self.routed()
        lonely = self.server(networks="none")
        mine, others = self.new(), self.new(by=BOB)
        address, other = (one["floating_ip_address"] for one in (mine, others))
        for target, name, argument, code in (
            (server, "addFloatingIp", {"address": other}, 404),
            (server, "addFloatingIp", {"address": "203.0.113.99"}, 404),
            (server, "addFloatingIp", {"address": "x"}, 400),
            (server, "addFloatingIp", {}, 400),
            (server, "addFloatingIp", None, 400),
            (server, "addFloatingIp", {"address": address, "more": address}, 400),
            (
                server,
                "addFloatingIp",
                {"address": address, "fixed_address": "10.0.0.1"},
                400,
            ),
            (lonely, "addFloatingIp", {"address": address}, 400),
            (server, "removeFloatingIp", {"address": address}, 409),
            (str(uuid4()), "addFloatingIp", {"address": address}, 404),
        ):
            reply = self.act(target, **{name: argument})
            self.assertEqual(code, reply.code, (name, argument, reply.text))

    def test_versions(self) -> None:
        """From 2.44 on there are no such actions, from 2.36 on no such lists."""
        server, _, _ = self.routed()
        address = {"address": self.new()["floating_ip_address"]}
        self.assertEqual(202, self.act(server, "2.43", addFloatingIp=address).code)
        self.assertEqual(404, self.act(server, "2.44", removeFloatingIp=address).code)
        for path in ("os-floating-ips", "os-floating-ip-pools"):
            for version, code in (("2.35", 200), ("2.36", 404)):
                reply = self.call("GET", f"{OLD}/{path}", by=ALICE, version=version)
                self.assertEqual(code, reply.code, (path, version))

    def test_own(self) -> None:
        """They are got from a pool, shown, and given back."""
        pools = self.call("GET", f"{OLD}/os-floating-ip-pools", by=ALICE)
        self.assertEqual({"floating_ip_pools": [{"name": "public"}]}, pools.json)
        place = f"{OLD}/os-floating-ips"
        for body in ({"pool": "public"}, {"pool": str(EXTERNAL.id)}, {}):
            made = self.call("POST", place, body, by=ALICE)
            self.assertEqual(200, made.code, made.text)
        one = made.json["floating_ip"]
        expected = {"ip": "203.0.113.12", "pool": "public"}
        expected |= {"id": one["id"], "fixed_ip": None, "instance_id": None}
        self.assertEqual(expected, one)
        server, _, fixed = self.routed()
        self.act(server, addFloatingIp={"address": one["ip"]})
        shown = self.call("GET", f"{place}/{one['id']}", by=ALICE).json["floating_ip"]
        self.assertEqual((server, fixed), (shown["instance_id"], shown["fixed_ip"]))
        self.assertEqual(
            202, self.call("DELETE", f"{place}/{one['id']}", by=ALICE).code
        )
        listed = self.call("GET", place, by=ALICE).json["floating_ips"]
        self.assertEqual(2, len(listed))
        for method, path in (("GET", one["id"]), ("DELETE", "x")):
            self.assertEqual(404, self.call(method, f"{place}/{path}", by=ALICE).code)
        reply = self.call("POST", place, {"pool": "nowhere"}, by=ALICE)
        self.assertEqual(404, reply.code)
