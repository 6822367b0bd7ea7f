"""What the web's side of consoles stands on, and what it makes of that."""

from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from snf.api.console.open import Opened
from snf.api.console.pages import Pages
from snf.api.console.place import ConsolePlace
from snf.api.console.rights import Rights
from snf.api.console.sessions import Sessions
from snf.api.console.socket import Ends, Sockets
from snf.api.json import Edge
from snf.api.site import Noun


@frozen
class Doors:
    """
    What opens consoles in browsers.

    :ivar directory: Where the page's files are.
    :ivar origins: Of other pages that may open consoles.
    """

    rights: Rights
    opened: Opened
    ends: Ends
    directory: Path
    origins: frozenset[str] = frozenset()


def place(doors: Doors, clock: IReactorTime, edge: Edge) -> ConsolePlace:
    """Return what is at ``/console``."""
    sessions: Any = Sessions(edge, doors.rights)
    sockets = Sockets(
        clock, edge, doors.rights, doors.opened, doors.ends, doors.origins
    )
    return ConsolePlace(edge, Pages(edge, doors.directory), sockets, Noun(sessions))
