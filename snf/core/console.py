"""Consoles of servers: which kinds there are, and how long one may be opened."""

from enum import Enum
from uuid import UUID

from attrs import frozen


class Kind(Enum):
    """What a console shows: the machine's screen, or its serial line.

    The values are OpenStack's words for how they are looked at.
    """

    VNC = "novnc"
    SERIAL = "serial"


@frozen
class Terms:
    """On which terms consoles are opened.

    :ivar token_lifetime_s: How long a token is good that nobody has redeemed.
    :ivar reconnect_s: For how long after a console's connection has ended whoever had
        it may open it again, without a new token.
    """

    token_lifetime_s: int = 600
    reconnect_s: int = 300


USUAL = Terms()


@frozen
class Console:
    """A console that somebody may open.

    :ivar server: The server's number; ``uuid`` is its id.
    :ivar cluster: The number of the cluster that it is on.
    """

    id: UUID
    kind: Kind
    server: int
    uuid: UUID
    name: str
    cluster: int
    project: UUID
    project_name: str
    user: UUID
    user_name: str
