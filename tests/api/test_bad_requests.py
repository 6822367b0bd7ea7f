"""Bodies, headers and queries that cannot be read: always a refusal, never a 500."""

from snf.testing.world import ALICE
from tests.api.case import SERVERS, TOKENS, Reply
from tests.api.faults import PLACES, FaultTestCase


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
