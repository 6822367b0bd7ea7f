"""Consoles of servers: URLs at which they are opened, and ports for VNC viewers.

``/servers/{id}/remote-consoles``, ``/os-console-auth-tokens``, and the actions that do the
same: OpenStack's older ones and Synnefo's.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, Protocol
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from attrs import field, frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import locks, versions
from snf.api.compute.actions import remember
from snf.api.compute.console_logs import Logs
from snf.api.compute.owned import MISSING, owner
from snf.api.json import Afterwards, Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.console import USUAL, Kind, Terms
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.core.passwords import token_digest
from snf.core.server import Action, permit
from snf.storage import console_tokens, lives, servers
from snf.storage.console_tokens import NewToken
from snf.storage.database import Transaction

Json = dict[str, Any]


@frozen
class Forwarding:
    """Where a VNC viewer finds the screen of a server, and what it has to know."""

    host: str
    port: int
    password: str = field(repr=False)


@frozen
class Place:
    """Where a server's screen is: on its node, for those who can reach that."""

    host: str
    port: int


class Screens(Protocol):
    """Knows where screens are, and has them forwarded."""

    async def place(self, cluster: int, server: int) -> Place:
        """
        Return where the screen of a server is just now.

        :raises Conflict: It has none just now.
        :raises Unavailable: Ganeti does not answer.
        """

    async def forward(self, cluster: int, server: int, way: str) -> Forwarding:
        """
        Have it forwarded to one viewer: ``vnc``, ``vnc-ws`` or ``vnc-wss``.

        :raises Conflict: It has none just now.
        :raises Unavailable: Ganeti, the node or the proxy does not answer.
        """


@frozen
class Consoles:
    """What consoles stand on.

    :ivar new_token: Makes a token.
    :ivar screens: None where screens cannot be forwarded to VNC viewers.
    :ivar serial: Whether serial lines are offered.
    :ivar logs: None where what servers say on them is not kept.
    """

    new_token: Callable[[], str]
    terms: Terms = USUAL
    screens: Screens | None = None
    serial: bool = False
    logs: Logs | None = None

    def offered(self, kind: str) -> Kind:
        """
        Return the kind of console of a name.

        :raises BadRequest: It is not offered; as Nova words it.
        """
        if kind == Kind.SERIAL.value and self.serial:
            return Kind.SERIAL
        if kind == Kind.VNC.value:
            return Kind.VNC
        if kind in _UNKNOWN:
            raise BadRequest(f"Invalid console type {kind}")
        raise BadRequest(f"Unavailable console type {kind}.")

    def url(self, txn: Transaction, call: Call, uuid: UUID, kind: Kind) -> str:
        """
        Return the URL at which a server's console is opened, once.

        :raises NotFound: There is no such server.
        :raises Conflict: It does not run.
        :raises Forbidden: It is suspended.
        """
        server, _ = _running(txn, call, uuid)
        token = self.new_token()
        lifetime = timedelta(seconds=self.terms.token_lifetime_s)
        console_tokens.add(
            txn,
            NewToken(
                id=uuid4(),
                digest=token_digest(token),
                kind=kind,
                server=server,
                project=call.project.id,
                user=call.grant.user.id,
                expires=call.now + lifetime,
            ),
        )
        _told(txn, call, server, uuid)
        return f"{_base(call.root, kind)}?{urlencode({'token': token})}"


def _base(root: str, kind: Kind) -> str:
    if kind is Kind.VNC:
        return f"{root}/console/vnc"
    # Nova's serial console is a WebSocket that clients other than browsers open.
    return f"ws{root.removeprefix('http')}/console/serial"


def _running(txn: Transaction, call: Call, uuid: UUID) -> tuple[int, int]:
    """
    Return the numbers of a server that runs, and of its cluster.

    A lock does not keep anybody from looking, as in Nova.
    """
    server, cluster = servers.locate(txn, owner(call), uuid)
    locks.check(txn, call, uuid, heeds_lock=False)
    for life in lives.look(txn, [server]).values():
        permit(Action.CONSOLE, life.status, life.task, uuid)
    return server, cluster


def _told(txn: Transaction, call: Call, server: int, uuid: UUID) -> None:
    remember(txn, call, server, "console")
    note(txn, call, "server console", uuid)


# The actions that there were before remote-consoles, and which types each may name
# (nova/api/openstack/compute/schemas/remote_consoles.py).
_ACTIONS = {
    "os-getVNCConsole": ("novnc", "xvpvnc"),
    "os-getSPICEConsole": ("spice-html5",),
    "os-getRDPConsole": ("rdp-html5",),
    "os-getSerialConsole": ("serial",),
}
# A type of which there is no longer a proxy, and which Nova then calls invalid.
_UNKNOWN = frozenset({"xvpvnc"})

_SYNNEFO = ("vnc", "vnc-ws", "vnc-wss")

NAMES = frozenset({*_ACTIONS, "console"})


def change(
    txn: Transaction, call: Call, uuid: UUID, body: Json, consoles: Consoles
) -> Answer | Afterwards:
    """
    Answer an action that asks for a console.

    :raises BadRequest: It names no type, or one that is not offered.
    :raises NotFound: There is no such server, or no such action any more.
    :raises Conflict: The server does not run.
    """
    [(name, argument)] = body.items()
    if name == "console":
        return _forwarded(txn, call, uuid, argument, consoles)
    if call.version > versions.BEFORE_REMOTE_CONSOLES:
        raise NotFound("The resource could not be found.")
    wanted = _type(name, argument, _ACTIONS[name])
    servers.locate(txn, owner(call), uuid)
    url = consoles.url(txn, call, uuid, consoles.offered(wanted))
    return Answer({"console": {"type": wanted, "url": url}}, 200)


def _type(name: str, argument: Any, allowed: tuple[str, ...]) -> str:
    given = argument.get("type") if isinstance(argument, dict) else None
    if given not in allowed or len(argument) > 1:
        raise BadRequest(f"{name}.type: must be {' or '.join(allowed)}, and alone")
    return given


def _forwarded(
    txn: Transaction, call: Call, uuid: UUID, argument: Any, consoles: Consoles
) -> Afterwards:
    """Have a screen forwarded to a VNC viewer, as Synnefo does."""
    way = _type("console", argument, _SYNNEFO)
    server, cluster = _running(txn, call, uuid)
    screens = consoles.screens
    if screens is None:
        raise BadRequest(f"Unavailable console type {way}.")
    _told(txn, call, server, uuid)

    async def forward() -> Answer:
        found = await screens.forward(cluster, server, way)
        shown = {
            "type": way,
            "host": found.host,
            "port": found.port,
            "password": found.password,
        }
        return Answer({"console": shown}, 200)

    return Afterwards(forward)


class RemoteConsole(msgspec.Struct, forbid_unknown_fields=True):
    """``remote_console`` in ``POST /servers/{id}/remote-consoles``."""

    protocol: Literal["vnc", "spice", "rdp", "serial", "mks"]
    type: Literal[
        "novnc",
        "xvpvnc",
        "spice-html5",
        "rdp-html5",
        "serial",
        "webmks",
        "spice-direct",
    ]


class RemoteConsoleBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /servers/{id}/remote-consoles``."""

    remote_console: RemoteConsole


# Since when these may be named.
_YOUNG = {
    "mks": versions.MKS_CONSOLES,
    "webmks": versions.MKS_CONSOLES,
    "spice-direct": versions.SPICE_DIRECT,
}
# The types of which Nova makes each protocol's.
_PROTOCOLS = {
    "vnc": ("novnc",),
    "spice": ("spice-html5", "spice-direct"),
    "rdp": ("rdp-html5",),
    "serial": ("serial",),
    "mks": ("webmks",),
}


@frozen
class RemoteConsoles:
    """``/servers/{id}/remote-consoles``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    consoles: Consoles

    @route(
        app,
        "POST",
        "/<server>/remote-consoles",
        role=Role.MEMBER,
        body=RemoteConsoleBody,
        since=versions.REMOTE_CONSOLES,
    )
    def create(self, txn: Transaction, call: Call, server: str) -> Json:
        """Ask for a URL at which a console is opened, once."""
        uuid = identifier(server, MISSING)
        servers.locate(txn, owner(call), uuid)
        wanted: RemoteConsole = call.body.remote_console
        for name in (wanted.protocol, wanted.type):
            if not call.since(_YOUNG.get(name, versions.REMOTE_CONSOLES)):
                raise BadRequest(
                    f"remote_console: {name}: there is none in this version"
                )
        if wanted.type not in _PROTOCOLS[wanted.protocol]:
            raise BadRequest(f"Invalid console type {wanted.type}")
        kind = self.consoles.offered(wanted.type)
        url = self.consoles.url(txn, call, uuid, kind)
        shown = {"protocol": wanted.protocol, "type": wanted.type, "url": url}
        return {"remote_console": shown}


@frozen
class AuthTokens:
    """``/os-console-auth-tokens``: for proxies of somebody else's."""

    app = new_app()

    edge: Edge
    consoles: Consoles

    # Before, it was for RDP alone (nova/api/openstack/compute/console_auth_tokens.py).
    @route(app, "GET", "/<token>", role=Role.ADMIN, since=versions.CONSOLE_TOKENS)
    def show(self, txn: Transaction, call: Call, token: str) -> Afterwards:
        """Show where the console is that a token opens; it stays good."""
        found = console_tokens.look(txn, token_digest(token), call.now)
        screens = self.consoles.screens
        if found is None or found.kind is not Kind.VNC or screens is None:
            raise NotFound("Token not found")

        async def locate() -> Answer:
            place = await screens.place(found.cluster, found.server)
            shown: Json = {
                "instance_uuid": str(found.uuid),
                "host": place.host,
                "port": place.port,
                "internal_access_path": None,
            }
            if call.since(versions.SPICE_DIRECT):
                shown["tls_port"] = None
            return Answer({"console": shown}, 200)

        return Afterwards(locate)
