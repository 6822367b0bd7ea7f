"""The page with the metrics, for Prometheus."""

from collections.abc import Callable

from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Site

_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Page(Resource):
    """``/metrics``."""

    isLeaf = True

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, request: IRequest) -> bytes:
        """See ``Resource``."""
        request.setHeader(b"content-type", _TYPE)
        return self._text().encode()


def site(text: Callable[[], str]) -> Site:
    """Return what answers HTTP with the page."""
    root = Resource()
    root.putChild(b"metrics", Page(text))
    return Site(root)
