"""``/console/sessions``: a page redeems its token, and may then connect more than once."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.console.rights import Asker, Rights
from snf.api.json import Answer, Edge, new_app, route
from snf.core.console import Kind

COOKIE = "cyclades-console"


class Session(msgspec.Struct, forbid_unknown_fields=True):
    """``session`` in ``POST /console/sessions``."""

    token: str
    type: Kind


class SessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /console/sessions``."""

    session: Session


@frozen
class Sessions:
    """``/console/sessions``."""

    app = new_app()

    edge: Edge
    rights: Rights

    @route(app, "POST", "/", role=None, body=SessionBody, code=201)
    async def create(self, call: Call) -> Answer:
        """Redeem a console's token; a cookie lets one connect, and connect again."""
        wanted: Session = call.body.session
        asker = Asker(call.address, call.request_id)
        console, secret = await self.rights.redeem(wanted.token, wanted.type, asker)
        # Of this console alone: several may be open at once, and none sees another's.
        path = f"/console/sessions/{console.id}"
        shown: dict[str, Any] = {
            "id": str(console.id),
            "type": console.kind.value,
            "server": {"id": str(console.uuid), "name": console.name},
            "project": console.project_name,
            "user": console.user_name,
            "socket": f"{path}/socket",
            "reconnect_s": self.rights.terms.reconnect_s,
        }
        secure = "; Secure" if urlsplit(call.root).scheme == "https" else ""
        cookie = f"{COOKIE}={secret}; Path={path}; HttpOnly; SameSite=Strict{secure}"
        headers = {"Set-Cookie": cookie, "Cache-Control": "no-store"}
        return Answer({"session": shown}, headers=headers)
