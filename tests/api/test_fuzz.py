"""Whatever clients send, it is never a 500, and the answer is always JSON."""

from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snf.testing.world import ADMIN, ALICE, NETWORK, SMALL, TINY
from tests.api.case import SERVERS, TOKENS, ApiTestCase, Reply
from tests.api.routes import served

_SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

_WORDS = st.sampled_from(
    [
        str(SMALL.id),
        str(TINY.id),
        str(NETWORK.id),
        "default",
        "auto",
        "password",
        "token",
        "alice",
        "alpha",
        "unscoped",
        "HARD",
        "",
    ]
)

# Keys that mean something somewhere, so that bodies get past the first check.
_KEYS = st.sampled_from(
    [
        "server",
        "name",
        "flavorRef",
        "imageRef",
        "metadata",
        "networks",
        "uuid",
        "block_device_mapping_v2",
        "min_count",
        "reboot",
        "type",
        "os-start",
        "shutdown",
        "auth",
        "identity",
        "methods",
        "user",
        "id",
        "domain",
        "scope",
        "project",
        "meta",
        "tags",
        "description",
        "hostname",
        "lock",
        "locked_reason",
        "max_count",
    ]
)

_VERSIONS = st.sampled_from(["2.1", "2.37", "2.66", "2.73", "2.100"])

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | _WORDS
)

_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)

_SERVER = st.fixed_dictionaries(
    {"name": _LEAVES, "flavorRef": _WORDS, "imageRef": _WORDS},
    optional={
        "metadata": _JSON,
        "networks": _JSON,
        "min_count": _LEAVES,
        "security_groups": _JSON,
        "block_device_mapping_v2": _JSON,
        "config_drive": _LEAVES,
        "hostname": _LEAVES,
        "description": _LEAVES,
        "tags": _JSON,
        "max_count": _LEAVES,
    },
)

_LOGIN = st.fixed_dictionaries(
    {
        "identity": st.fixed_dictionaries(
            {"methods": st.lists(_WORDS, max_size=2)},
            optional={
                "password": st.fixed_dictionaries({"user": _JSON}),
                "token": st.fixed_dictionaries({"id": _LEAVES}),
            },
        )
    },
    optional={"scope": _JSON},
)

_BODIES = (
    _JSON
    | st.fixed_dictionaries({"server": _SERVER})
    | st.fixed_dictionaries({"auth": _LOGIN})
    | st.dictionaries(_KEYS, _JSON, min_size=1, max_size=1)
)

_NAMES = st.sampled_from(
    [
        "limit",
        "marker",
        "name",
        "status",
        "changes-since",
        "all_tenants",
        "deleted",
        "id",
        "network_id",
        "device_id",
        "fields",
        "visibility",
        "nocatalog",
        "is_public",
        "uuid",
        "image",
        "flavor",
        "ip",
        "ip6",
        "host",
        "project_id",
        "reservation_id",
        "sort_key",
        "sort_dir",
        "tags",
        "not-tags-any",
        "locked",
        "changes-before",
        "created_at",
        "power_state",
        "task_state",
        "vm_state",
        "progress",
    ]
).map(str.encode)

_VALUES = (
    st.binary(max_size=12)
    | st.text(st.characters(codec="utf-8"), max_size=12).map(str.encode)
    | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat().encode())
    | st.integers().map(lambda number: b"%d" % number)
    | _WORDS.map(str.encode)
)

_QUERIES = st.lists(st.tuples(_NAMES | st.binary(max_size=4), _VALUES), max_size=4)


class FuzzTests(ApiTestCase):
    """Every route, with whatever hypothesis comes up with."""

    def setUp(self) -> None:
        super().setUp()
        self.fixed = self.server()
        self.routes = [
            (one.method, one.path.replace("{server}", self.fixed)) for one in served()
        ]
        self.routes = [
            (method, path.replace("{", "").replace("}", ""))
            for method, path in self.routes
        ]

    def assert_sane(self, reply: Reply, what: Any) -> None:
        """The answer is JSON or nothing, and no fault of ours."""
        self.assertLess(reply.code, 500, (what, reply.text))
        if reply.text:
            self.assertEqual("application/json", reply.header("Content-Type"))
            reply.json

    @_SETTINGS
    @given(data=st.data(), body=_BODIES)
    def test_bodies(self, data: Any, body: Any) -> None:
        """Any JSON to any route that takes some."""
        written = [route for route in self.routes if route[0] in ("POST", "PUT")]
        method, path = data.draw(st.sampled_from(written))
        if body is not None:
            version = data.draw(_VERSIONS)
            reply = self.call(method, path, body, by=ALICE, version=version)
            self.assert_sane(reply, (path, body))

    @_SETTINGS
    @given(body=st.fixed_dictionaries({"server": _SERVER}))
    def test_servers(self, body: Any) -> None:
        """Any server."""
        self.assert_sane(self.call("POST", SERVERS, body, by=ALICE), body)

    @_SETTINGS
    @given(body=st.fixed_dictionaries({"auth": _LOGIN}))
    def test_logins(self, body: Any) -> None:
        """Any login."""
        self.assert_sane(self.call("POST", TOKENS, body), body)

    @_SETTINGS
    @given(data=st.data(), query=_QUERIES)
    def test_queries(self, data: Any, query: list[tuple[bytes, bytes]]) -> None:
        """Any query to any route that is read."""
        read = [path for method, path in self.routes if method == "GET"]
        path = data.draw(st.sampled_from(read))
        text = "&".join(
            f"{quote_from_bytes(name)}={quote_from_bytes(value)}"
            for name, value in query
        )
        version = data.draw(_VERSIONS)
        reply = self.call("GET", f"{path}?{text}", by=ADMIN, version=version)
        self.assert_sane(reply, (path, text))

    @_SETTINGS
    @given(data=st.data(), raw=st.binary(max_size=40))
    def test_bytes(self, data: Any, raw: bytes) -> None:
        """Any bytes as a body."""
        method, path = data.draw(st.sampled_from(self.routes))
        if (method, path) != ("DELETE", f"{SERVERS}/{self.fixed}"):
            self.assert_sane(self.call(method, path, by=ALICE, data=raw), (path, raw))

    @_SETTINGS
    @given(parts=st.lists(st.binary(max_size=6), max_size=5))
    def test_urls(self, parts: list[bytes]) -> None:
        """Any URL."""
        for start in ("", SERVERS, "/image/v2/images", "/network/v2.0/ports"):
            path = "/".join(
                [start, *(quote_from_bytes(part, safe="") for part in parts)]
            )
            if path.startswith("/"):
                self.assert_sane(self.call("GET", path, by=ALICE), path)
