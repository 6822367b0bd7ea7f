"""Refusals: always JSON in the service's own shape, never HTML, never a 500."""

from typing import Any
from uuid import uuid4

from snf.api.compute.build import Builder
from snf.testing.world import ALICE
from tests.api.case import SERVERS, TOKENS, ApiTestCase, Reply

# A place in each service.
PLACES = {
    "identity": "/identity/v3/auth/tokens",
    "compute": SERVERS,
    "image": "/image/v2/images",
    "network": "/network/v2.0/networks",
}


class FaultTestCase(ApiTestCase):
    """A test about refusals."""

    def assert_fault(self, reply: Reply, code: int, service: str = "") -> None:
        """It is a refusal in the shape of a service; of any for none given."""
        self.assertEqual(code, reply.code, reply.text)
        self.assertEqual("application/json", reply.header("Content-Type"))
        self.assertTrue(reply.header("x-openstack-request-id"))
        shapes = [service] if service else list(PLACES)
        self.assertTrue(
            any(_fits(reply.json, code, shape) for shape in shapes), reply.text
        )


class UrlTests(FaultTestCase):
    """URLs that there are not."""

    def test_unknown(self) -> None:
        """An unknown URL is a 404 at every level, with a token and without."""
        for service, paths in {
            "identity": (
                "/nope",
                "/identity/nope",
                "/identity/v2.0",
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
            ("compute", "POST", "/compute/v2.1/flavors", "GET, HEAD"),
            ("image", "POST", "/image/v2/images", "GET, HEAD"),
            ("image", "DELETE", "/image/v2/images/x", "GET, HEAD"),
            ("network", "POST", PLACES["network"], "GET, HEAD"),
            ("network", "PUT", f"{PLACES['network']}/x", "GET, HEAD"),
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


class BodyTests(FaultTestCase):
    """Bodies that cannot be read."""

    def post(self, data: bytes, kind: str | None = "application/json") -> Reply:
        """Send a body to where a server is made."""
        headers = {} if kind is None else {"Content-Type": kind}
        return self.call("POST", SERVERS, by=ALICE, data=data, headers=headers)

    def test_not_json(self) -> None:
        """What is not JSON in UTF-8 is a 400 that says so."""
        for data in (
            b"",
            b" ",
            b"{",
            b"}",
            b"nope",
            b"{'server': 1}",
            b'{"server": 1,}',
            b'{"server": "\xff"}',
            b"\xff\xfe{\x00}\x00",
            b"\xef\xbb\xbf{}",
            b"\0",
            b'{"a": NaN}',
            b"name=web&flavorRef=1",
            b"[" * 20000,
            b'{"a":' * 10000 + b"1" + b"}" * 10000,
            b"[" * 20000 + b"]" * 20000,
        ):
            reply = self.post(data)
            self.assert_fault(reply, 400, "compute")
            self.assertIn("JSON", reply.message)

    def test_not_an_object(self) -> None:
        """JSON that is no object is a 400."""
        for data in (b"[]", b"null", b"1", b'"x"', b"true", b"[{}]", b"1e400"):
            self.assert_fault(self.post(data), 400, "compute")

    def test_in_every_service(self) -> None:
        """The refusal is in the shape of the service."""
        for data in (b"{", b"[]", b"\xff"):
            reply = self.call("POST", TOKENS, data=data)
            self.assert_fault(reply, 400, "identity")

    def test_types(self) -> None:
        """A body of another type than JSON is a 400, forms among them."""
        for kind in (
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "Multipart/Form-Data; boundary=\xff",
            "application/jsonx",
            "\xff",
            ";",
        ):
            for data in (b"{}", b"a=b", b"--x\r\n\r\n"):
                reply = self.post(data, kind)
                self.assert_fault(reply, 400, "compute")
                self.assertIn("Content-Type", reply.message)

    def test_accepted_types(self) -> None:
        """JSON may say so in several ways, or not at all."""
        for kind in (
            None,
            "",
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/json;charset=UTF-8",
        ):
            reply = self.post(b'{"server": {}}', kind)
            self.assertIn("name", reply.message, kind)

    def test_unasked(self) -> None:
        """A body where none is wanted does not matter."""
        for data in (b"\xff", b"{", b"x" * 1000):
            self.assertEqual(200, self.call("GET", SERVERS, by=ALICE, data=data).code)


class HeaderTests(FaultTestCase):
    """Headers that make no sense."""

    def test_tokens(self) -> None:
        """A token that no token can be is a 401."""
        for token in ("", "\xff\xfe", "x" * 5000, "' OR 1=1", "Bearer x", "%00"):
            reply = self.call("GET", SERVERS, headers={"X-Auth-Token": token})
            self.assert_fault(reply, 401, "identity")

    def test_subjects(self) -> None:
        """A subject that no token can be is a 404."""
        for token in ("", "\xff\xfe", "x" * 5000):
            headers = {"X-Subject-Token": token}
            reply = self.call("GET", TOKENS, by=ALICE, headers=headers)
            self.assert_fault(reply, 404, "identity")

    def test_hosts(self) -> None:
        """Whatever the client calls us makes no difference to the links."""
        expected = self.call("GET", "/compute/v2.1").json
        for host in (
            "",
            "x" * 300,
            "a..b",
            "\xff",
            "[::1]:80",
            "[",
            "a b",
            "evil.test",
        ):
            reply = self.call("GET", "/compute/v2.1", headers={"Host": host})
            if reply.code != 400:
                self.assertEqual(expected, reply.json, host)
            else:
                self.assertNotIn(b"<", reply.text)

    def test_queries(self) -> None:
        """A query that is not UTF-8 or has a NUL in it is a 400."""
        for service, place in PLACES.items():
            if service == "identity":
                continue
            for query in ("name=%ff", "%ff=x", "name=a%00b", "a=%C3%28"):
                reply = self.call("GET", f"{place}?{query}", by=ALICE)
                self.assert_fault(reply, 400, service)

    def test_many_fields(self) -> None:
        """A query with too many fields is a 400."""
        reply = self.call("GET", f"{SERVERS}?{'a=b&' * 2000}", by=ALICE)
        self.assert_fault(reply, 400, "compute")


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

    def test_at_the_login(self) -> None:
        """So it is where a coroutine answers."""
        self.sql("UPDATE user_account SET password = 'md5$1$1$1$00$00'")
        reply = self.log_in("alice", "x")
        self.assert_fault(reply, 500, "identity")
        [logged] = self.flushLoggedErrors()
        self.assertIs(ValueError, logged.type)


def _fits(fault: Any, code: int, service: str) -> bool:
    """Whether a fault has the shape of a service."""
    if code == 401 or service == "identity":
        inner = fault.get("error", {})
        return set(inner) == {"code", "title", "message"} and inner["code"] == code
    if service == "image":
        return set(fault) == {"message", "code", "title"} and fault["code"].startswith(
            f"{code} "
        )
    if service == "network":
        return set(fault.get("NeutronError", ())) == {"type", "message", "detail"}
    [(name, inner)] = fault.items()
    return (
        name == COMPUTE_NAMES[code]
        and set(inner) == {"code", "message"}
        and inner["code"] == code
    )


COMPUTE_NAMES = {
    400: "badRequest",
    404: "itemNotFound",
    405: "badMethod",
    500: "computeFault",
}
