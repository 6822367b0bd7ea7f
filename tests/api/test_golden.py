"""Our answers have the shapes of OpenStack's, but for what is listed with its reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, NETWORK, PASSWORD, PROJECT_ADMIN, SMALL, TINY
from tests.api.case import ApiTestCase, Reply
from tests.api.situations import PUBLIC_KEY
from tests.golden import shapes
from tests.golden.differences import DIFFERENCES, NOT_OFFERED, ONLY_HERE
from tests.golden.shapes import Shape


def _login(password: str, **scope: Any) -> dict[str, Any]:
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, **scope}}


_SCOPE = {"project": {"name": "admin", "domain": {"id": "default"}}}

_NEW = {
    "name": "golden",
    "flavorRef": str(SMALL.id),
    "imageRef": str(TINY.id),
    "networks": [{"uuid": str(NETWORK.id)}],
    "key_name": "gk",
}

# What is sent, by the answer's name without its version.
BODIES: Mapping[str, Any] = {
    "confirm-409": {"confirmResize": None},
    "console-output": {"os-getConsoleOutput": {}},
    "err-400-badbody": {"server": {"name": ""}},
    "keypair-create": {"keypair": {"name": "golden"}},
    "os-start-409": {"os-start": None},
    "remote-console": {"remote_console": {"protocol": "vnc", "type": "novnc"}},
    "server-create": {"server": _NEW},
    "token-401": _login("wrong", scope=_SCOPE),
    "token-create": _login(PASSWORD, scope=_SCOPE),
    "token-unscoped": _login(PASSWORD, scope="unscoped"),
    "vnc-console": {"os-getVNCConsole": {"type": "novnc"}},
}

# Who asks; all others are admins.
NOBODY = ("err-401-notoken", "err-401-network", "network-v2.0")
STRANGER = ("err-401-compute",)

# The properties of the images that were there, whoever had made them.
_SPECIFIED = ("md5", "sha256", "object")
_OF_A_SNAPSHOT = (
    *("base_image_ref", "boot_roles", "image_type", "instance_uuid"),
    *("owner_project_name", "owner_user_name", "user_id"),
)


class GoldenTests(ApiTestCase):
    """Every answer that OpenStack has given, and ours in the same situation."""

    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        self.token(ADMIN)
        self.image = self._images()

    def _images(self) -> str:
        """Make images like those that were there, and return the id of one with data."""
        said = {f"owner_specified.openstack.{name}": "" for name in _SPECIFIED}
        new = {"name": "golden", "disk_format": "raw", "container_format": "bare"}
        path = "/image/v2/images"
        made = self.call("POST", path, {**new, **said}, by=ADMIN).json["id"]
        reply = self.call("PUT", f"{path}/{made}/file", by=ADMIN, data=b"data")
        self.assertEqual(204, reply.code, reply.text)
        snapshot = dict.fromkeys(_OF_A_SNAPSHOT, "x")
        self.call("POST", path, {"name": "queued", **said, **snapshot}, by=ADMIN)
        # Which has properties of its own.
        self.sql("UPDATE image SET hidden = true WHERE id = %s", TINY.id)
        return made

    def ask(self, name: str, shape: Shape) -> Reply:
        """Return our answer to what is then undone."""
        with self.database.rehearsal():
            return self._ask(name, shape)

    def _ask(self, name: str, shape: Shape) -> Reply:
        keypair = {"name": "gk", "public_key": PUBLIC_KEY}
        self.call("POST", "/compute/v2.1/os-keypairs", {"keypair": keypair}, by=ADMIN)
        server = self.server(ADMIN, name="golden", key_name="gk")
        if "build" not in name:
            self.live(server, Life(Observed.UP, launched=1_700_000_000.0))
        headers = {"X-Auth-Token": "nonsense"} if name in STRANGER else {}
        if name == "token-validate":
            headers["X-Subject-Token"] = self.token(ADMIN)
        return self.call(
            shape.method,
            shape.path.format(
                server=server, image=self.image, project=PROJECT_ADMIN.id
            ),
            BODIES.get(name.removesuffix("-base").removesuffix("-latest")),
            by=None if name in (*NOBODY, *STRANGER) else ADMIN,
            headers=headers,
            version=shape.version,
        )

    def test_status(self) -> None:
        """What is not offered is a 404, 400 or 501; all else has OpenStack's status."""
        for name, shape in shapes.kept().items():
            reply = self.ask(name, shape)
            wanted = (404, 400, 501) if name in NOT_OFFERED else (shape.status,)
            if name in ONLY_HERE:
                self.assertEqual(404, shape.status)
                wanted = (200,)
            self.assertIn(reply.code, wanted, (name, reply.text))

    def test_headers(self) -> None:
        """Whatever header clients read of OpenStack's answers ours have, too."""
        for name, shape, reply in self.offered():
            ours = shapes.of_headers(dict(reply.headers), bodiless=not reply.text)
            self.assertLessEqual(set(shape.headers), set(ours), name)

    def test_fields(self) -> None:
        """All fields are there, of the same types, but for those with a reason."""
        unlisted = {
            f"{name}: {path}": how
            for name, shape, reply in self.offered()
            for path, how in self.unlike(shape, reply).items()
            if not any(one.covers(name, path) for one in DIFFERENCES)
        }
        self.assertEqual({}, unlisted, "mend it, or say why in DIFFERENCES")

    def test_reasons(self) -> None:
        """There is no reason in the lists for what is not so (any more)."""
        there = [
            (name, path)
            for name, shape, reply in self.offered()
            for path in self.unlike(shape, reply)
        ]
        idle = [
            one for one in DIFFERENCES if not any(one.covers(*place) for place in there)
        ]
        self.assertEqual([], idle)
        self.assertLessEqual({*NOT_OFFERED, *ONLY_HERE}, set(shapes.kept()))

    def offered(self) -> Iterator[tuple[str, Shape, Reply]]:
        """Return all that is offered, and how we answer."""
        for name, shape in shapes.kept().items():
            if name not in NOT_OFFERED and name not in ONLY_HERE:
                yield name, shape, self.ask(name, shape)

    def unlike(self, shape: Shape, reply: Reply) -> dict[str, str]:
        """Return what is different in our answer."""
        return shapes.unlike(
            shape.fields, shapes.of_body(reply.json if reply.text else {})
        )


class ShapeTests(SynchronousTestCase):
    """What is told of some JSON."""

    def test_of_body(self) -> None:
        """Every path has the types that there are; free keys are an asterisk."""
        body = {
            "servers": [
                {"id": None, "created": "2026-11-22T07:45:01Z", "metadata": {"a": "b"}},
                {"id": "x", "metadata": {}},
            ]
        }
        self.assertEqual(
            {
                "servers": "array",
                "servers[]": "object",
                "servers[]/created": "time",
                "servers[]/id": "null|text",
                "servers[]/metadata": "object",
                "servers[]/metadata/*": "text",
            },
            shapes.of_body(body),
        )

    def test_unlike(self) -> None:
        """Lacking, additional and other fields are told, the topmost of each only."""
        theirs = {"a": "object", "a/b": "text", "a/c": "integer", "d": "null|text"}
        theirs |= {"e": "null", "f": "array", "f[]": "object", "f[]/g": "text"}
        ours = {"a": "object", "a/c": "text", "d": "null", "e": "text"}
        ours |= {"h": "object", "h/i": "text"}
        self.assertEqual(
            {
                "a/b": "lacks text",
                "a/c": "text instead of integer",
                "f": "lacks array",
                "h": "adds object",
            },
            shapes.unlike(theirs, ours),
        )
