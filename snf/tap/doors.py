"""What opens consoles, as the configuration says."""

import secrets
import string
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import getfqdn
from typing import Any

from attrs import frozen
from twisted.application.service import IService
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.logger import Logger

from snf.api.compute.consoles import Consoles, Forwarding, Place
from snf.api.console.doors import Doors
from snf.api.console.open import Opened
from snf.api.console.pages import MISSING, is_complete
from snf.api.console.rights import Rights
from snf.config import Console, Cyclades
from snf.console.client import NotAnswered, ask
from snf.console.requests import Kind, Request
from snf.core.console import Terms
from snf.core.errors import Unavailable
from snf.logic.connections import Connections
from snf.nodes.serial import SerialLines
from snf.storage.database import Database
from snf.tap.console import ConsoleSecrets, node_settings
from snf.tap.screens import NodeEnds

_log = Logger()

_CHARACTERS = string.ascii_letters + string.digits


@frozen
class ConsoleDoors:
    """What the API stands on, and the service that has to run for it."""

    consoles: Consoles
    doors: Doors
    service: IService


def console_doors(
    reactor: Any,
    settings: Cyclades,
    secret: ConsoleSecrets,
    database: Database,
    connections: Connections,
    new_token: Callable[[], str],
    serial: SerialLines | None,
) -> ConsoleDoors:
    """
    Return what the settings say.

    :param serial: None where serial lines are not offered.
    """
    console = settings.console
    ends = NodeEnds(
        reactor,
        database,
        connections,
        settings.ganeti.instance_prefix,
        node_settings(console, secret),
        forward_by=partial(_forward, reactor, console),
        lines=serial,
    )
    terms = Terms(console.token_lifetime_s, console.reconnect_s)
    rights = Rights(reactor, database, terms, new_token)
    opened = Opened(reactor, rights, console.open_at_most)
    directory = pages()
    if not is_complete(directory):
        _log.error("{text}", text=MISSING.format(directory))
    return ConsoleDoors(
        Consoles(new_token, terms, ends, serial is not None, serial),
        Doors(rights, opened, ends, directory, frozenset(console.origins)),
        opened,
    )


async def _forward(
    reactor: Any, console: Console, place: Place, way: str
) -> Forwarding:
    """Have this host's vncauthproxy forward a screen, to whoever has a new password."""
    # No more than eight characters count in VNC.
    password = "".join(secrets.choice(_CHARACTERS) for _ in range(8))
    request = Request(place.host, place.port, password, kind=Kind(way))
    endpoint = UNIXClientEndpoint(reactor, console.control_socket, timeout=5)
    try:
        found = await ask(reactor, endpoint, request)
    except NotAnswered as failure:
        _log.error("no port leads to a screen: {reason}", reason=str(failure))
        raise Unavailable("The console proxy does not answer, or cannot") from None
    return Forwarding(
        found.address or console.address or getfqdn(), found.port, password
    )


def pages() -> Path:
    """Return where the pages are: in this checkout, or where setup.py has put them."""
    here = Path(__file__).parents[2] / "ui"
    return here if here.is_dir() else Path(sys.prefix) / "share" / "cyclades" / "ui"
