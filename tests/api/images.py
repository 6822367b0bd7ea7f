"""What the tests of users' own images stand on."""

import json
from datetime import timedelta
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from snf.api.image.images import PATCH
from snf.core.identity import User
from snf.core.quota import Resource
from snf.images.keeper import Keeper
from snf.storage import quotas
from snf.testing.world import ADMIN, ALICE, PROJECT_A
from tests.api.case import ApiTestCase, Reply, directly

IMAGES = "/image/v2/images"

DATA = bytes(range(256)) * 4096


class GlanceTestCase(ApiTestCase):
    """A test about users' own images."""

    def make(self, by: User = ALICE, **fields: Any) -> dict[str, Any]:
        """Return a new image."""
        reply = self.call("POST", IMAGES, {"name": "mine", **fields}, by=by)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json

    def show(self, image: str, by: User = ALICE) -> Reply:
        """Return the answer to who looks at an image."""
        return self.call("GET", f"{IMAGES}/{image}", by=by)

    def patch_it(self, image: str, *changes: Any, by: User = ALICE) -> Reply:
        """Return the answer to a JSON patch of ``(op, path[, value])``."""
        body = [
            dict(zip(("op", "path", "value"), change, strict=False))
            for change in changes
        ]
        return self.call(
            "PATCH",
            f"{IMAGES}/{image}",
            by=by,
            data=json.dumps(body).encode(),
            headers={"Content-Type": PATCH},
        )

    def found(self, query: str = "", by: User = ALICE) -> list[str]:
        """Return the names of the images that a list has, in its order."""
        reply = self.call("GET", f"{IMAGES}?{query}", by=by)
        self.assertEqual(200, reply.code, (query, reply.text))
        return [image["name"] for image in reply.json["images"]]


class Client:
    """A client's connection, on which it writes as it likes."""

    def __init__(self, site: Any, transport: StringTransport | None = None) -> None:
        self.transport = transport or StringTransport(
            peerAddress=IPv4Address("TCP", "192.0.2.99", 4)
        )
        self.connection = site.buildProtocol(None)
        self.connection.makeConnection(self.transport)

    def write(self, data: bytes) -> None:
        """Send some more."""
        self.connection.dataReceived(data)

    def hang_up(self) -> None:
        """Close the connection."""
        self.connection.connectionLost(Failure(ConnectionDone()))

    @property
    def read(self) -> bytes:
        """All that has been answered."""
        return self.transport.value()


class DataTestCase(GlanceTestCase):
    """A test with data."""

    def new(self, by: User = ALICE, **fields: Any) -> str:
        """Return the id of an image that waits for data."""
        raw = {"disk_format": "raw", "container_format": "bare"}
        return self.make(by, **{**raw, **fields})["id"]

    def put(
        self, image: str, data: bytes, by: User = ALICE, where: str = "file"
    ) -> Reply:
        """Upload data."""
        headers = {"Content-Type": "application/octet-stream"}
        path = f"{IMAGES}/{image}/{where}"
        return self.call("PUT", path, data=data, by=by, headers=headers)

    def fetch(self, image: str, by: User = ALICE, **headers: str) -> Reply:
        """Download data."""
        return self.call("GET", f"{IMAGES}/{image}/file", by=by, headers=headers)

    def full(self, **fields: Any) -> str:
        """Return the id of an image that has data."""
        image = self.new(**fields)
        reply = self.put(image, DATA)
        self.assertEqual(204, reply.code, reply.text)
        return image

    def status(self, image: str) -> str:
        """Return an image's status."""
        return self.show(image, ADMIN).json["status"]

    def files(self) -> list[str]:
        """Return the names of all files that there are."""
        return sorted(
            path.name for path in self.store.directory.rglob("*") if path.is_file()
        )

    def head(self, image: str, *lines: str, by: User = ALICE) -> bytes:
        """Return the head of a request that uploads."""
        lines = (
            f"PUT {IMAGES}/{image}/file HTTP/1.1",
            "Host: cloud.test",
            f"X-Auth-Token: {self.token(by)}",
            *lines,
        )
        return "\r\n".join([*lines, "", ""]).encode()

    def used(self) -> int:
        """Return how many bytes count for Alice's project; a recount says the same."""
        self.assertEqual([], self.run_in(quotas.recount))
        return self.run_in(quotas.used, PROJECT_A.id)[Resource.IMAGE_BYTES]

    def tidy(self, days: float = 0) -> None:
        """Have the keeper put things in order, some days from now."""
        self.clock.advance(days * 24 * 3600)
        if days:
            self._logged_in.clear()
        keeper = Keeper(
            self.clock,
            self.database,
            self.store,
            directly,
            timedelta(hours=1),
            young_s=-1.0,
        )
        self.successResultOf(Deferred.fromCoroutine(keeper.tidy()))
