"""What the APIs stand on."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from snf.api import dialect
from snf.api.authority import Authority, OwnTokens
from snf.api.compute.build import Builder
from snf.api.compute.consoles import Consoles
from snf.api.compute.stats import NO_GRAPHS, Graphs
from snf.api.console.doors import Doors
from snf.api.json import Edge
from snf.config import Api, Identity
from snf.core.network import USUAL, Plan
from snf.core.node_keys import NodeKeys
from snf.core.quota import NO_LIMITS, Amounts
from snf.images.web import Web
from snf.storage.database import Database


@frozen
class Files:
    """What takes the data of images.

    :ivar web: Fetches what users name by URL; None where that is not offered.
    """

    intake: Any  # an Intake
    web: Web | None = None


NO_FILES = Files(None)


@frozen
class Parts:
    """What the APIs stand on.

    :ivar verify: A coroutine function of a password and what is kept of it, off the
        reactor's thread: whether they match.
    :ivar digest: A coroutine function of a password, off the reactor's thread: what to
        keep of it.
    :ivar new_token: Makes a token.
    :ivar limits: What a project may have for which an operator has set nothing.
    :ivar graphs: What draws graphs of servers.
    :ivar plan: The networks that there may be.
    :ivar keys: What signs URLs for nodes, and opens what they fetch; None where they
        are given none.
    :ivar doors: What opens consoles in browsers; None where that is not offered.
    :ivar keystone: A Keystone that knows the accounts; None when they are our own.
    :ivar files: What takes and keeps the data of images.
    """

    clock: IReactorTime
    database: Database
    api: Api
    identity: Identity
    instance_prefix: str
    verify: Callable[[str, str], Any]
    digest: Callable[[str], Any]
    new_token: Callable[[], str]
    builder: Builder
    consoles: Consoles
    limits: Amounts = NO_LIMITS
    graphs: Graphs = NO_GRAPHS
    plan: Plan = USUAL
    keys: NodeKeys | None = None
    doors: Doors | None = None
    keystone: Authority | None = None
    files: Files = NO_FILES

    @property
    def authority(self) -> Authority:
        """Whose word on tokens counts."""
        return self.keystone or OwnTokens(f"{self.api.public_url}/identity")

    def edge(self, prefix: str, of: dialect.Dialect) -> Edge:
        """Return what the routes below a prefix stand on."""
        root = self.api.public_url
        return Edge(self.clock, self.database, self.authority, root, prefix, of)
