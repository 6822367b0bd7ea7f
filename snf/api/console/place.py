"""``/console``: pages, their files, and the WebSockets that these open."""

from typing import Any

from twisted.web.resource import IResource, Resource

from snf.api.console.pages import Pages
from snf.api.console.sessions import COOKIE
from snf.api.console.socket import Sockets
from snf.api.json import Edge
from snf.core.console import Kind

_KINDS = {b"vnc": Kind.VNC, b"serial": Kind.SERIAL}


class ConsolePlace(Resource):
    """
    What is at ``/console``.

    A console's URL is a page, and a WebSocket for those who ask for one there.

    :param sessions: What is at ``/console/sessions``.
    """

    isLeaf = True

    def __init__(
        self, edge: Edge, pages: Pages, sockets: Sockets, sessions: IResource
    ) -> None:
        super().__init__()
        self._edge = edge
        self._pages = pages
        self._sockets = sockets
        self.sessions = sessions

    def render(self, request: Any) -> Any:
        words = request.postpath or []
        if words[:1] == [b"sessions"]:
            return self._session(request, words[1:])
        if request.method not in (b"GET", b"HEAD"):
            return self._edge.missing(request)
        if len(words) == 1 and words[0] in _KINDS and request.getHeader(b"upgrade"):
            return self._sockets.by_token(request, _KINDS[words[0]])
        return self._pages.render(request)

    def _session(self, request: Any, words: list[bytes]) -> Any:
        if len(words) == 2 and words[1] == b"socket":
            right = words[0].decode("ascii", "replace")
            secret = request.getCookie(COOKIE.encode())
            told = None if secret is None else secret.decode("ascii", "replace")
            return self._sockets.once_more(request, right, told)
        request.prepath.append(request.postpath.pop(0))
        return self.sessions.render(request)
