"""What the tests of the APIs stand on: the whole site, no socket, a real PostgreSQL."""

import json
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from snf.api.authority import Authority
from snf.api.compute.build import Builder
from snf.api.compute.consoles import Consoles
from snf.api.compute.stats import NO_GRAPHS
from snf.api.console.doors import Doors
from snf.api.console.open import Opened
from snf.api.console.rights import Rights
from snf.api.site import ApiSite
from snf.api.tree import Files, Parts, site
from snf.config import Api, Identity
from snf.core import passwords
from snf.core.console import Terms
from snf.core.identity import User
from snf.core.network import USUAL, Plan
from snf.core.node_keys import NodeKeys
from snf.core.quota import NO_LIMITS, Amounts
from snf.core.server import Life
from snf.images.intake import Intake, Sizes
from snf.images.store import Store
from snf.images.web import Web
from snf.storage import lives
from snf.testing import world
from snf.testing.postgres import shared_database
from snf.testing.world import ALICE, SMALL, TINY

ROOT = "http://cloud.test:8774"
NOW = 1_800_000_000.0
TOKENS = "/identity/v3/auth/tokens"
UI = Path(__file__).parents[2] / "ui"
SERVERS = "/compute/v2.1/servers"


async def directly(function: Any, *args: Any) -> Any:
    """Return what a function returns, without a thread."""
    return function(*args)


KEYS = NodeKeys.of("a key of the tests that nobody else has")


@frozen
class Reply:
    """What the server answered."""

    code: int
    headers: HTTPMessage
    text: bytes

    @property
    def json(self) -> Any:
        """What its JSON holds."""
        return json.loads(self.text)

    def header(self, name: str) -> str | None:
        """Return one of its headers."""
        return self.headers.get(name)

    @property
    def message(self) -> str:
        """The sentence of a refusal, whichever service's it is."""
        fault = self.json
        if "errors" in fault:  # Synnefo's userdata
            [(field, [text])] = fault["errors"].items()
            return f"{field}: {text}"
        if "message" not in fault:
            [fault] = fault.values()
        return fault["message"]


class _Said:
    """What nodes tell of servers' serial lines."""

    async def log(self, cluster: int, server: int, lines: int | None) -> bytes:
        """Return the same of every server."""
        return b"READY\n"


class ApiTestCase(SynchronousTestCase):
    """A test with the whole site, over a database that holds a small world."""

    max_body_bytes = 65536
    page_size = 1000
    graphs = NO_GRAPHS
    plan: Plan = USUAL
    keystone: Authority | None = None
    trusted_proxies: tuple[str, ...] = ()
    sizes = Sizes(data=2**26, disk=2**30)
    web: Web | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.database = shared_database(self)
        self.run_in(world.make)
        self.tokens = 0
        self.builder = Builder(seal=KEYS.seal)
        self.store = Store(Path(self.mktemp()).absolute())
        self.site = self.new_site()
        self._logged_in: dict[str, str] = {}

    def new_site(self, limits: Amounts = NO_LIMITS) -> ApiSite:
        """Return the whole site."""
        return site(
            Parts(
                clock=self.clock,
                database=self.database,  # type: ignore[arg-type]
                api=Api(
                    public_url=ROOT,
                    max_body_bytes=self.max_body_bytes,
                    page_size=self.page_size,
                    trusted_proxies=self.trusted_proxies,
                ),
                identity=Identity(token_lifetime_s=3600),
                instance_prefix="snf",
                verify=self.verify,
                digest=lambda password: succeed(
                    passwords.digest(password, b"salt", cost=2)
                ),
                new_token=self._new_token,
                builder=self.builder,
                consoles=self.consoles(),
                limits=limits,
                graphs=self.graphs,
                plan=self.plan,
                keystone=self.keystone,
                files=Files(self.intake(limits), self.web),
                keys=KEYS,
                doors=self.doors(),
            )
        )

    def doors(self) -> Doors:
        """Return what opens consoles in browsers; there is no node."""
        rights = Rights(
            self.clock,
            self.database,  # type: ignore[arg-type]
            Terms(),
            self._new_token,
        )
        self.opened = Opened(self.clock, rights, most=10)
        nothing: Any = None
        return Doors(rights, self.opened, nothing, UI)

    def consoles(self) -> Consoles:
        """Return what consoles stand on."""
        return Consoles(self._new_token, serial=True, logs=_Said())

    def intake(self, limits: Amounts = NO_LIMITS) -> Intake:
        """Return what takes the data of images, in the test's turn."""
        return Intake(
            self.clock, self.database, self.store, directly, self.sizes, limits
        )

    def verify(self, password: str, kept: str) -> "Deferred[bool]":
        """Return whether a password matches, without a thread."""
        return succeed(passwords.matches(password, kept))

    def _new_token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens:030d}"

    def run_in(self, function: Any, *args: Any) -> Any:
        """Return what a storage function returns, in a transaction of its own."""
        return self.successResultOf(
            Deferred.fromCoroutine(self.database.run(function, *args))
        )

    def sql(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none of a statement that has none."""

        def execute(txn: Any) -> list[tuple[Any, ...]]:
            txn.execute(query, arguments)
            return txn.fetchall() if txn.description else []

        return self.run_in(execute)

    def token(self, user: User) -> str:
        """Return a token of a user, in the user's own project."""
        if user.name not in self._logged_in:
            reply = self.log_in(user.name, world.PASSWORD)
            self.assertEqual(201, reply.code, reply.text)
            self._logged_in[user.name] = reply.header("X-Subject-Token") or ""
        return self._logged_in[user.name]

    def log_in(self, name: str, password: str, scope: Any = None) -> Reply:
        """Log in with a password, in the domain ``default``."""
        who = {"name": name, "password": password, "domain": {"id": "default"}}
        auth: dict[str, Any] = {
            "identity": {"methods": ["password"], "password": {"user": who}}
        }
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", TOKENS, {"auth": auth})

    def unscoped(self, user: User) -> dict[str, str]:
        """Return the header that authenticates a user for no project."""
        reply = self.log_in(user.name, world.PASSWORD, "unscoped")
        return {"X-Auth-Token": reply.header("X-Subject-Token") or ""}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: User | None = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        version: str | None = None,
    ) -> Reply:
        """
        Return the answer to a request; ``body`` is sent as JSON.

        :param version: The microversion of the compute API to ask for.
        """
        sent = {"Host": "cloud.test", **(headers or {})}
        if version is not None:
            sent["OpenStack-API-Version"] = f"compute {version}"
        if by is not None:
            sent["X-Auth-Token"] = self.token(by)
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if data is not None:
            sent.setdefault("Content-Length", str(len(data)))
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in sent.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return self.send(head + (data or b""), method)

    def send(self, request: bytes, method: str = "GET") -> Reply:
        """Return the answer to what a client writes to its connection."""
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.99", 4))
        connection = self.site.buildProtocol(None)
        connection.makeConnection(transport)
        connection.dataReceived(request)
        answer = HTTPResponse(_Answered(transport.value()), method=method)  # type: ignore[arg-type]
        answer.begin()
        return Reply(answer.status, answer.headers, answer.read())

    def create(self, by: User = ALICE, **changes: Any) -> Reply:
        """Ask for a server, small and tiny but for the changes."""
        body = {"name": "web", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        return self.call("POST", SERVERS, {"server": body | changes}, by=by)

    def server(self, by: User = ALICE, **changes: Any) -> str:
        """Return the id of a new server."""
        reply = self.create(by, **changes)
        self.assertEqual(202, reply.code, reply.text)
        return reply.json["server"]["id"]

    def shown(self, server: str, by: User = ALICE) -> dict[str, Any]:
        """Return a server as its owner sees it."""
        reply = self.call("GET", f"{SERVERS}/{server}", by=by)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["server"]

    def act(self, server: str, body: Any, by: User = ALICE) -> Reply:
        """Ask for an action on a server."""
        return self.call("POST", f"{SERVERS}/{server}/action", body, by=by)

    def live(self, server: str, life: Life) -> None:
        """Make a server have a life, its orders carried out (tried) at Ganeti."""

        def change(txn: Any) -> None:
            txn.execute(
                "UPDATE orders SET state = 'done', attempts = 1, ended = now()"
                " WHERE server_id = (SELECT id FROM server WHERE uuid = %s)",
                (UUID(server),),
            )
            txn.execute("SELECT id FROM server WHERE uuid = %s", (UUID(server),))
            [(number,)] = txn.fetchall()
            lives.save(txn, lives.load(txn, [number]), {number: life})

        self.run_in(change)


class _Answered:
    """What a client has read, as ``http.client`` wants it."""

    def __init__(self, read: bytes) -> None:
        self._read = read

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._read)
