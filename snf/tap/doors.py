"""What opens consoles, as the configuration says."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import IService
from twisted.logger import Logger

from snf.api.compute.consoles import Consoles
from snf.api.console.doors import Doors
from snf.api.console.open import Opened
from snf.api.console.pages import MISSING, is_complete
from snf.api.console.rights import Rights
from snf.console.node import NodeSettings
from snf.core.console import USUAL
from snf.logic.connections import Connections
from snf.nodes.serial import SerialLines
from snf.storage.database import Database
from snf.tap.screens import NodeEnds

_log = Logger()


@frozen
class ConsoleDoors:
    """What the API stands on, and the service that has to run for it."""

    consoles: Consoles
    doors: Doors
    service: IService


def console_doors(
    reactor: Any,
    database: Database,
    connections: Connections,
    prefix: str,
    new_token: Callable[[], str],
    serial: SerialLines | None,
) -> ConsoleDoors:
    """
    Return what the settings say.

    :param serial: None where serial lines are not offered.
    """
    settings = NodeSettings()
    ends = NodeEnds(reactor, database, connections, prefix, settings, lines=serial)
    rights = Rights(reactor, database, USUAL, new_token)
    opened = Opened(reactor, rights, most=1000)
    directory = pages()
    if not is_complete(directory):
        _log.error("{text}", text=MISSING.format(directory))
    return ConsoleDoors(
        Consoles(new_token, USUAL, ends, serial is not None, serial),
        Doors(rights, opened, ends, directory),
        opened,
    )


def pages() -> Path:
    """Return where the pages are: in this checkout, or where setup.py has put them."""
    here = Path(__file__).parents[2] / "ui"
    return here if here.is_dir() else Path(sys.prefix) / "share" / "cyclades" / "ui"
