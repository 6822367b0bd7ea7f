"""Where the API asks this node: nothing passes that it has not signed."""

from collections.abc import Callable

from twisted.web.http import Request
from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site

from snf.core.signing import NODE_PREFIX, Signer

_IDLE_S = 60.0


class Door(Resource):
    """
    All of ``/noded/v1/``: a service below its name, once a request's signature is good.

    :param now: Returns the time in seconds since the epoch.
    """

    def __init__(self, signer: Signer, now: Callable[[], float]) -> None:
        super().__init__()
        self._signer = signer
        self._now = now
        self._services: dict[bytes, IResource] = {}

    def offer(self, name: str, resource: IResource) -> None:
        """Have a service's resource below its name."""
        self._services[name.encode("ascii")] = resource

    def getChild(self, path: bytes, request: IRequest) -> IResource:
        """See ``Resource``; who is refused is not told what there is."""
        if not self._is_signed(request):
            return Refusal(403)
        return self._services.get(path) or Refusal(404)

    def _is_signed(self, request: IRequest) -> bool:
        try:
            whole = request.path.decode("ascii")
            [expires] = request.args[b"expires"]
            [signature] = request.args[b"signature"]
            words = (expires.decode("ascii"), signature.decode("ascii"))
            method = request.method.decode("ascii")
        except (KeyError, ValueError):
            return False
        return whole.startswith(NODE_PREFIX) and self._signer.good(
            method, whole, *words, self._now()
        )


class Refusal(Resource):
    """A status and nothing else."""

    isLeaf = True

    def __init__(self, status: int) -> None:
        super().__init__()
        self._status = status

    def render(self, request: IRequest) -> bytes:
        """See ``Resource``."""
        request.setResponseCode(self._status)
        request.responseHeaders = Headers({"Content-Length": ["0"]})
        return b""


class Quiet(Site):
    """A site without a log of requests: URLs have signatures."""

    noisy = False

    def log(self, request: Request) -> None:
        """See ``Site``."""


def site(door: Door) -> Site:
    """Return what answers HTTP with what is behind the door."""
    root, versions = Resource(), Resource()
    first, second = NODE_PREFIX.strip("/").split("/")
    root.putChild(first.encode("ascii"), versions)
    versions.putChild(second.encode("ascii"), door)
    return Quiet(root, timeout=_IDLE_S)
