"""URLs and methods that there are not, and bugs: JSON in the service's own shape."""

from uuid import uuid4

from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from snf.api.compute.build import Builder
from snf.testing.world import ALICE
from tests.api.case import SERVERS, TOKENS
from tests.api.faults import PLACES, FaultTestCase


class UrlTests(FaultTestCase):
    """URLs that there are not."""

    def test_unknown(self) -> None:
        """An unknown URL is a 404 at every level, with a token and without."""
        for service, paths in {
            "identity": (
                "/nope",
                "/identity/nope",
                "/identity/v4",
                "/identity/v3/nope",
                "/identity/v3/auth",
                "/identity/v3/auth/nope",
                "/identity/v3/auth/tokens/nope",
                "/identity/v3/auth/tokens/a/b",
                "/favicon.ico",
                "//",
                "//identity/v3",
            ),
            "compute": (
                "/compute/nope",
                "/compute/v3",
                "/compute/v2.1/nope",
                "/compute/v2.1/nope/deeper/still",
                f"{SERVERS}/{uuid4()}/nope",
                f"{SERVERS}/{uuid4()}/action/nope",
                "/compute/v2.1/flavors/detail/nope",
                "/compute//v2.1",
                "/compute/v2.1//servers",
                "/compute/v2.1/../v2.1/servers",
            ),
            "image": ("/image/nope", "/image/v2/nope", "/image/v2/images/a/b"),
            "network": ("/network/v2.0/nope", "/network/v1", "/network/v2.0/ports/a/b"),
        }.items():
            for path in paths:
                for by in (None, ALICE):
                    with self.subTest(path=path):
                        reply = self.call("GET", path, by=by)
                        self.assert_fault(reply, 404, service)

    def test_double_slashes(self) -> None:
        """Two slashes within are no URL that there is."""
        for path in (
            f"{SERVERS}//detail",
            f"{SERVERS}//{uuid4()}",
            f"{SERVERS}/x//action",
        ):
            self.assert_fault(self.call("GET", path, by=ALICE), 404, "compute")

    def test_slash_at_the_end(self) -> None:
        """A slash at the end makes no difference, nor do several."""
        for path in (
            SERVERS,
            f"{SERVERS}/detail",
            "/image/v2/images",
            PLACES["network"],
        ):
            for slashes in ("/", "//"):
                reply = self.call("GET", path + slashes, by=ALICE)
                self.assertEqual(200, reply.code, path)

    def test_not_utf8(self) -> None:
        """A path that is not UTF-8 is a 400, or a 404 where there is nothing anyway."""
        for service, place in PLACES.items():
            for path in (f"{place}/%ff", f"{place}/%C3%28"):
                reply = self.call("GET", path, by=ALICE)
                self.assert_fault(reply, 400, service)
            # Twisted itself refuses what is not even escaped.
            reply = self.call("GET", f"{place}/\xff", by=ALICE)
            self.assertEqual((400, b""), (reply.code, reply.text))
        self.assert_fault(self.call("GET", "/%ff", by=ALICE), 404)
        self.assert_fault(self.call("GET", "/compute/%ff/servers", by=ALICE), 404)

    def test_escapes(self) -> None:
        """Escaped slashes, NULs and quotes in an id find nothing."""
        for text in (
            "a%2Fb",
            "%2F",
            "%2e%2e",
            "%00",
            "%27",
            "%0d%0aX:y",
            "%",
            "%zz",
            "%20",
        ):
            for service, place in PLACES.items():
                if service != "identity":
                    reply = self.call("GET", f"{place}/{text}", by=ALICE)
                    self.assert_fault(reply, 404, service)

    def test_long(self) -> None:
        """A long URL is a 404; one beyond all bounds is cut off."""
        self.assert_fault(self.call("GET", f"{SERVERS}/{'a' * 8000}", by=ALICE), 404)


class MethodTests(FaultTestCase):
    """Methods that a URL has not."""

    def test_not_allowed(self) -> None:
        """A 405 names the methods that are allowed."""
        for service, method, path, allowed in (
            ("identity", "PUT", TOKENS, "DELETE, GET, HEAD, POST"),
            ("compute", "DELETE", SERVERS, "GET, HEAD, POST"),
            ("compute", "PATCH", f"{SERVERS}/x", "DELETE, GET, HEAD, PUT"),
            ("compute", "GET", f"{SERVERS}/x/action", "POST"),
            ("compute", "PATCH", "/compute/v2.1/flavors", "GET, HEAD, POST"),
            ("image", "PUT", "/image/v2/images", "GET, HEAD, POST"),
            ("image", "PUT", "/image/v2/images/x", "DELETE, GET, HEAD, PATCH"),
            ("network", "PUT", PLACES["network"], "GET, HEAD, POST"),
            ("network", "POST", f"{PLACES['network']}/x", "DELETE, GET, HEAD, PUT"),
        ):
            with self.subTest(method=method, path=path):
                reply = self.call(method, path, {}, by=ALICE)
                self.assert_fault(reply, 405, service)
                self.assertEqual(allowed, reply.header("Allow"))

    def test_strange(self) -> None:
        """Methods that nobody knows are refused like others."""
        for method in ("TRACE", "OPTIONS", "CONNECT", "BREW", "G" * 200):
            reply = self.call(method, SERVERS, by=ALICE)
            self.assert_fault(reply, 405, "compute")
            self.assert_fault(self.call(method, "/compute/v2.1/nope"), 404, "compute")

    def test_not_ascii(self) -> None:
        """So are methods that are not text."""
        reply = self.send(b"\xff\xfe " + SERVERS.encode() + b" HTTP/1.1\r\n\r\n")
        self.assertIn(reply.code, (400, 405))
        self.assertNotIn(b"<", reply.text)

    def test_star(self) -> None:
        """``OPTIONS *`` gets an answer without HTML."""
        for method in ("OPTIONS", "GET"):
            self.assertNotIn(b"<html", self.call(method, "*").text)

    def test_head(self) -> None:
        """HEAD is GET without the body, with the same headers and statuses."""
        for path in (SERVERS, f"{SERVERS}/x", "/compute/v2.1/nope", "/image/v2/images"):
            get = self.call("GET", path, by=ALICE)
            head = self.call("HEAD", path, by=ALICE)
            self.assertEqual((get.code, b""), (head.code, head.text), path)
            for name in ("Content-Type", "Content-Length", "OpenStack-API-Version"):
                self.assertEqual(get.header(name), head.header(name), (path, name))


class BugTests(FaultTestCase):
    """A bug of ours."""

    def test_hidden_and_logged_once(self) -> None:
        """The client gets a 500 with the request's id; the log gets the rest, once."""

        def broken(_: int) -> bytes:
            raise ZeroDivisionError("the secret detail")

        self.builder = Builder(broken)
        self.site = self.new_site()
        reply = self.create()
        self.assert_fault(reply, 500, "compute")
        self.assertNotIn(b"secret", reply.text)
        self.assertNotIn(b"ZeroDivision", reply.text)
        request_id = reply.header("x-openstack-request-id") or ""
        self.assertIn(request_id, reply.message)
        [logged] = self.flushLoggedErrors()
        self.assertIs(ZeroDivisionError, logged.type)
        self.assertEqual([], self.sql("SELECT id FROM server"))

    def test_outside_of_all_routes(self) -> None:
        """So it is where no route has been found yet."""

        class Broken(Resource):
            def render(self, request: IRequest) -> bytes:
                raise ZeroDivisionError("the secret detail")

        self.site.resource.putChild(b"broken", Broken())
        reply = self.call("GET", "/broken")
        self.assert_fault(reply, 500, "identity")
        self.assertNotIn(b"secret", reply.text)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_at_the_login(self) -> None:
        """So it is where a coroutine answers."""
        self.sql("UPDATE user_account SET password = 'md5$1$1$1$00$00'")
        reply = self.log_in("alice", "x")
        self.assert_fault(reply, 500, "identity")
        [logged] = self.flushLoggedErrors()
        self.assertIs(ValueError, logged.type)
