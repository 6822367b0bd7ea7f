"""A node that makes images of its instances' disks, which are all empty."""

import re
from collections.abc import Iterable
from typing import Any

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool

from snf.core.naming import of_images
from snf.core.signing import SNAPSHOT_PATH
from snf.testing.qcow2 import empty

_log = Logger()

_ORDER = re.compile(r"cyclades:image:([0-9a-f-]{36}):([0-9]+):([0-9a-f]{64})")
_CLOUD = "cyclades:image-at:"
_TIMEOUT_S = 60


@define(eq=False)
class ImageMaker:
    """Does what the hook ``snf-image-hook`` has a real node do."""

    reactor: Any
    _http: HTTPClient = field(init=False)
    _under_way: "set[Deferred[None]]" = field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        pool = HTTPConnectionPool(self.reactor, persistent=False)
        self._http = HTTPClient(Agent(self.reactor, pool=pool))

    def look(self, tags: Iterable[str], disk_bytes: int) -> None:
        """Make an image of a disk if an instance's tags say so."""
        url = signed_url(tags)
        if url is not None:
            work = Deferred.fromCoroutine(self._make(url, disk_bytes))
            self._under_way.add(work)
            work.addBoth(lambda _: self._under_way.discard(work))

    def stop(self) -> None:
        """Leave what is under way."""
        for work in [*self._under_way]:
            work.cancel()

    async def _make(self, url: str, disk_bytes: int) -> None:
        try:
            for percent in (0, 50):
                code = await self._ask("POST", url, json={"percent": percent})
                if code != 204:
                    _log.info("no image is wanted: HTTP {code}", code=code)
                    return
            code = await self._ask("PUT", url, data=empty(disk_bytes))
            _log.info("an image was brought: HTTP {code}", code=code)
        except CancelledError:
            pass
        except Exception:
            _log.failure("an image could not be brought")

    async def _ask(self, method: str, url: str, **more: Any) -> int:
        response = await self._http.request(method, url, timeout=_TIMEOUT_S, **more)
        await response.content()
        return response.code


def signed_url(tags: Iterable[str]) -> str | None:
    """Return where an instance's tags have an image be brought; None for nowhere."""
    ours = of_images(tags)
    orders = [match for tag in ours if (match := _ORDER.fullmatch(tag))]
    clouds = [tag.removeprefix(_CLOUD) for tag in ours if tag.startswith(_CLOUD)]
    if not orders or not clouds:
        return None
    order, expires, signature = orders[0].groups()
    query = f"expires={expires}&signature={signature}"
    return f"{clouds[0]}{SNAPSHOT_PATH.format(order)}?{query}"
