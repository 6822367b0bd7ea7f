"""Microversions of the compute API, and the ids of requests."""

from snf.testing.world import ALICE
from tests.api.case import SERVERS, TOKENS, ApiTestCase, Reply

NEW = "OpenStack-API-Version"
OLD = "X-OpenStack-Nova-API-Version"


class VersionTests(ApiTestCase):
    """The two headers that ask for a microversion."""

    def ask(self, path: str = SERVERS, **headers: str) -> Reply:
        """Ask for something, naming a version by the new header, the old, or both."""
        sent = {
            name: headers[key]
            for key, name in (("new", NEW), ("old", OLD))
            if key in headers
        }
        return self.call("GET", path, by=ALICE, headers=sent)

    def assert_served(
        self, reply: Reply, code: int = 200, version: str = "2.1"
    ) -> None:
        """The answer says which version it is in."""
        self.assertEqual(code, reply.code, reply.text)
        self.assertEqual(f"compute {version}", reply.header(NEW))
        self.assertEqual(version, reply.header(OLD))
        self.assertEqual(OLD, reply.header("Vary"))

    def test_served(self) -> None:
        """The version asked for is echoed; without a wish it is the oldest."""
        self.assert_served(self.ask())
        for new in (
            "compute 2.1",
            "Compute 2.1",
            "COMPUTE  2.1 ",
            "volume 3.70, compute 2.1",
            "compute 2.1, volume x",
        ):
            self.assert_served(self.ask(new=new))
        for old in ("2.1", " 2.1 "):
            self.assert_served(self.ask(old=old))
        for version in ("2.2", "2.26", "2.100"):
            reply = self.ask(new=f"compute {version}")
            self.assert_served(reply, version=version)
        for latest in (self.ask(new="compute latest"), self.ask(old="latest")):
            self.assert_served(latest, version="2.100")
        self.assert_served(self.ask(new="compute 2.1", old="2.1"))

    def test_of_others(self) -> None:
        """A version of another service does not concern us."""
        self.assert_served(self.ask(new="volume 3.70"))
        self.assert_served(self.ask(new="", old="2.1"))

    def test_new_one_counts(self) -> None:
        """Where the two differ the new header counts."""
        self.assert_served(self.ask(new="compute 2.1", old="2.999"))

    def test_on_refusals(self) -> None:
        """Refusals say it too, also for URLs and methods that there are not."""
        self.assert_served(self.ask(f"{SERVERS}/x"), 404)
        self.assert_served(self.ask("/compute/v2.1/nope"), 404)
        self.assert_served(self.ask("/compute/v2.1/nope", new="compute 2.1"), 404)
        self.assert_served(self.call("PATCH", SERVERS, by=ALICE), 405)
        self.assert_served(self.call("POST", SERVERS, {}, by=ALICE), 400)
        self.assert_served(self.call("GET", SERVERS), 401)

    def test_not_served(self) -> None:
        """A version that is not served is a 406 that names those that are."""
        for version in ("2.101", "2.999", "2.0", "1.1", "3.0"):
            for reply in (self.ask(new=f"compute {version}"), self.ask(old=version)):
                self.assertEqual(406, reply.code)
                self.assertEqual(
                    {
                        "computeFault": {
                            "code": 406,
                            "message": f"Version {version} is not supported by the "
                            "API. Minimum is 2.1 and maximum is 2.100.",
                        }
                    },
                    reply.json,
                )
                self.assertEqual(f"compute {version}", reply.header(NEW))

    def test_malformed(self) -> None:
        """What is no version is a 400, and echoes none."""
        for version in (
            "x",
            "2",
            "2.",
            ".1",
            "2.1.1",
            "02.1",
            "2.01",
            "-2.1",
            "2,1",
            "LATEST",
            "2.1 1",
            "\xb2.\xb9",
            "9" * 500 + ".1",
            "",
        ):
            for reply in (self.ask(new=f"compute {version}"), self.ask(old=version)):
                if reply.code == 200 and version in ("2,1",):
                    continue
                self.assertEqual(400, reply.code, (version, reply.text))
                self.assertIn("badRequest", reply.json)
                self.assertIsNone(reply.header(NEW))

    def test_elsewhere(self) -> None:
        """Other services have no microversions."""
        for path in ("/image/v2/images", "/network/v2.0/ports"):
            reply = self.ask(path, new="compute x", old="9.9")
            self.assertEqual(200, reply.code)
            self.assertIsNone(reply.header(NEW))

    def test_documents(self) -> None:
        """The documents of discovery are there whatever the version."""
        reply = self.ask("/compute/v2.1", new="compute latest")
        self.assert_served(reply, version="2.100")
        shown = reply.json["version"]
        self.assertEqual(("2.1", "2.100"), (shown["min_version"], shown["version"]))


class RequestIdTests(ApiTestCase):
    """Every answer has an id of its own."""

    def test_unique(self) -> None:
        """Answers and refusals of every service have one, each another."""
        seen = set()
        for method, path in (
            ("GET", "/"),
            ("GET", "/nope"),
            ("GET", "/compute"),
            ("GET", SERVERS),
            ("HEAD", SERVERS),
            ("PATCH", SERVERS),
            ("POST", SERVERS),
            ("DELETE", f"{SERVERS}/x"),
            ("GET", "/image/v2/images"),
            ("GET", "/network/v2.0/networks"),
            ("POST", TOKENS),
        ):
            for by in (None, ALICE):
                reply = self.call(method, path, by=by)
                request_id = reply.header("x-openstack-request-id") or ""
                self.assertRegex(request_id, "^req-[0-9a-f-]{36}$")
                seen.add(request_id)
                if path.startswith("/compute"):
                    self.assertEqual(request_id, reply.header("x-compute-request-id"))
        self.assertEqual(22, len(seen))

    def test_ours(self) -> None:
        """A client cannot choose it."""
        mine = "req-00000000-0000-0000-0000-000000000000"
        headers = {"X-OpenStack-Request-ID": mine}
        reply = self.call("GET", SERVERS, by=ALICE, headers=headers)
        self.assertNotEqual(mine, reply.header("x-openstack-request-id"))
