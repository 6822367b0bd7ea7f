"""``/tags`` of what the network API has, and tags that new things get."""

from typing import Any

from snf.storage import networks, subnets
from snf.testing.world import ALICE, BOB, EXTERNAL, EXTERNAL_SUBNET, READER
from tests.api.case import ROOT, Reply
from tests.api.test_networks_admin import V2, MakingTestCase


class TagTests(MakingTestCase):
    """``/tags``."""

    def test_tags(self) -> None:
        """Tags are set, added and removed, and networks found by them."""
        network = self.made()["id"]
        path = f"{V2}/networks/{network}/tags"

        def ask(method: str, more: str = "", body: Any = None) -> Reply:
            return self.call(method, path + more, body, by=ALICE)

        self.assertEqual(
            {"tags": ["a", "b"]}, ask("PUT", "", {"tags": ["b", "a", "b"]}).json
        )
        self.assertEqual(201, ask("PUT", "/c").code)
        self.assertEqual(201, ask("PUT", "/c").code)
        self.assertEqual(["a", "b", "c"], ask("GET").json["tags"])
        self.assertEqual(204, ask("GET", "/c").code)
        self.assertEqual(204, ask("DELETE", "/c").code)
        self.assert_refused(404, "TagNotFound", ask("DELETE", "/c"))
        self.assert_refused(404, "TagNotFound", ask("GET", "/c"))
        self.assert_refused(400, "InvalidInput", ask("PUT", "/a%2Cb"))
        for query, count in (
            ("tags=a,b", 1),
            ("tags=a,c", 0),
            ("tags-any=a,c", 1),
            ("not-tags=a,b", 1),
            ("not-tags-any=a", 1),
            ("not-tags-any=c", 2),
        ):
            found = self.call("GET", f"{V2}/networks?{query}", by=ALICE).json
            self.assertEqual(count, len(found["networks"]), query)
        self.assertEqual(204, ask("DELETE").code)
        self.assertEqual([], ask("GET").json["tags"])

    def test_everything(self) -> None:
        """All that may have tags shows them, and is found by them."""
        self.run_in(networks.add, EXTERNAL)
        self.run_in(subnets.add, EXTERNAL_SUBNET)
        network = self.made()["id"]
        for place, noun, new in (
            ("floatingips", "floatingip", {"floating_network_id": str(EXTERNAL.id)}),
            ("networks", "network", {}),
            ("ports", "port", {"network_id": network}),
            ("security-groups", "security_group", {"name": "web"}),
            ("subnets", "subnet", {"network_id": network, "cidr": "10.0.0.0/24"}),
        ):
            if place == "subnets":
                network = new["network_id"] = self.made()["id"]
            made = self.call("POST", f"{V2}/{place}", {noun: new}, by=ALICE).json[noun]
            path = f"{V2}/{place}/{made['id']}"
            reply = self.call("PUT", f"{path}/tags/blue", by=ALICE)
            self.assertEqual(201, reply.code, (place, reply.text))
            self.assertEqual(f"{ROOT}{path}/tags/blue", reply.header("Location"), place)
            shown = self.call("GET", path, by=ALICE).json[noun]
            self.assertEqual(["blue"], shown["tags"], place)
            self.assertGreater(shown["revision_number"], made["revision_number"])
            [found] = self.call(
                "GET", f"{V2}/{place}?tags=blue&fields=id", by=ALICE
            ).json[f"{noun}s"]
            self.assertEqual({"id": made["id"]}, found)
            self.assertEqual(404, self.call("GET", f"{path}/tags", by=BOB).code)
            self.assertEqual(403, self.call("DELETE", f"{path}/tags", by=READER).code)

    def test_many(self) -> None:
        """There is a limit to them."""
        path = f"{V2}/networks/{self.made()['id']}/tags"
        tags = [str(number) for number in range(50)]
        self.assertEqual(200, self.call("PUT", path, {"tags": tags}, by=ALICE).code)
        self.assertEqual(400, self.call("PUT", f"{path}/one", by=ALICE).code)
        reply = self.call("PUT", path, {"tags": [*tags, "one"]}, by=ALICE)
        self.assertEqual(400, reply.code)


class CreationTests(MakingTestCase):
    """``tags`` of what is being made (Neutron's ``tag-creation``)."""

    def wanted(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return where everything that has tags is made, and of what."""
        network = self.made()["id"]
        return [
            ("floatingips", "floatingip", {"floating_network_id": str(EXTERNAL.id)}),
            ("networks", "network", {}),
            ("security-groups", "security_group", {"name": "web"}),
            ("subnets", "subnet", {"network_id": network, "cidr": "10.0.0.0/24"}),
            ("ports", "port", {"network_id": network}),
        ]

    def setUp(self) -> None:
        super().setUp()
        self.run_in(networks.add, EXTERNAL)
        self.run_in(subnets.add, EXTERNAL_SUBNET)

    def test_everything(self) -> None:
        """The answer has them, and so has what it is about, which has not changed."""
        for place, noun, new in self.wanted():
            body = {noun: {**new, "tags": ["b", "a", "b"]}}
            reply = self.call("POST", f"{V2}/{place}", body, by=ALICE)
            self.assertEqual(201, reply.code, (place, reply.text))
            made = reply.json[noun]
            self.assertEqual(["a", "b"], made["tags"], place)
            shown = self.call("GET", f"{V2}/{place}/{made['id']}", by=ALICE).json
            self.assertEqual({noun: made}, shown)

    def test_several(self) -> None:
        """Of several at once each has its own."""
        asked = [{"name": "a", "tags": ["one"]}, {"name": "b"}, {"tags": ["two"]}]
        body = {"networks": asked}
        made = self.call("POST", f"{V2}/networks", body, by=ALICE).json["networks"]
        self.assertEqual([["one"], [], ["two"]], [one["tags"] for one in made])
        asked = [{"network_id": one["id"], "tags": one["tags"]} for one in made]
        body = {"ports": asked}
        ports = self.call("POST", f"{V2}/ports", body, by=ALICE).json["ports"]
        self.assertEqual([["one"], [], ["two"]], [one["tags"] for one in ports])

    def test_refused(self) -> None:
        """What is no tag is a 400, and nothing is made."""
        for place, noun, new in self.wanted():
            for tags in ("a", None, [""], ["a,b"], ["x" * 61], ["x"] * 51, [1]):
                body = {noun: {**new, "tags": tags}}
                reply = self.call("POST", f"{V2}/{place}", body, by=ALICE)
                self.assertEqual(400, reply.code, (place, tags))
                self.assertIn(f"{noun}.tags", reply.message)
        self.assertEqual([], self.sql("SELECT id FROM network WHERE tags <> '{}'"))
