"""The running all-in-one, as the live tests see and use it."""

import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg2
import treq
from attrs import field, frozen
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.client import Agent

from snf.allinone import daemons
from snf.allinone.cloud import Cloud
from snf.allinone.credentials import PEOPLE, password_of
from snf.allinone.layout import Layout
from snf.allinone.progress import Progress
from snf.serial.log import Log

ROOT = Path(__file__).parents[2]


def running_cloud() -> Cloud:
    """
    Return the all-in-one that this run of the tests has.

    :raises SkipTest: It has none.
    """
    state = os.environ.get("CYCLADES_TEST_STATE")
    if state is None:
        raise SkipTest("there is no cloud to test: run ./cloud test")
    layout = Layout(Path(state))
    instance = layout.load()
    if instance is None:
        raise SkipTest(f"{state} holds no cloud: run ./cloud test")
    return Cloud(layout, instance, Progress())


@frozen
class Reply:
    """What the API answered."""

    code: int
    headers: Any
    json: Any


@frozen(slots=False)
class User:
    """A user of the cloud, with a token once it is needed."""

    cloud: Cloud
    who: str = "user"
    _tokens: list[str] = field(factory=list, init=False)

    @property
    def root(self) -> str:
        """The URL of the API."""
        return f"http://127.0.0.1:{self.cloud.instance.api_port}"

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Return the answer to a request."""
        if not self._tokens:
            self._tokens.append(await self._log_in())
        return await self._send(method, path, body, {"X-Auth-Token": self._tokens[0]})

    async def ids(self, flavor: str, image: str) -> dict[str, str]:
        """Return the references to a flavor and an image by their names."""
        flavors = (await self.call("GET", "/compute/v2.1/flavors")).json["flavors"]
        images = (await self.call("GET", "/compute/v2.1/images")).json["images"]
        return {
            "flavorRef": next(one["id"] for one in flavors if one["name"] == flavor),
            "imageRef": next(one["id"] for one in images if one["name"] == image),
        }

    async def create(self, image: str = "tiny-fake", flavor: str = "m1.tiny") -> str:
        """Ask for a server and return its id."""
        body = {"name": f"live-{uuid4().hex[:6]}", **await self.ids(flavor, image)}
        reply = await self.call("POST", "/compute/v2.1/servers", {"server": body})
        if reply.code != 202:
            raise AssertionError(f"{reply.code}: {reply.json}")
        return reply.json["server"]["id"]

    async def show(self, server: str) -> dict[str, Any] | None:
        """Return a server; None when there is none (any more)."""
        reply = await self.call("GET", f"/compute/v2.1/servers/{server}")
        if reply.code not in (200, 404):
            raise AssertionError(f"{reply.code}: {reply.json}")
        return reply.json["server"] if reply.code == 200 else None

    async def act(self, server: str, action: dict[str, Any]) -> int:
        """Have something done to a server; the status of the answer."""
        path = f"/compute/v2.1/servers/{server}/action"
        return (await self.call("POST", path, action)).code

    async def until(
        self, server: str, status: str, timeout_s: float = 60
    ) -> dict[str, Any]:
        """Wait until a server is idle in a status."""

        async def there() -> dict[str, Any] | None:
            shown = await self.show(server)
            if shown is None:
                raise AssertionError(f"{server} is gone")
            if shown["status"] == "ERROR" != status:
                raise AssertionError(f"{server}: {shown.get('fault')}")
            idle = shown["OS-EXT-STS:task_state"] is None
            return shown if shown["status"] == status and idle else None

        return await eventually(there, f"{server} {status}", timeout_s)

    async def delete(self, server: str, timeout_s: float = 60) -> None:
        """Delete a server and wait until it is gone."""
        await self.call("DELETE", f"/compute/v2.1/servers/{server}")

        async def gone() -> bool:
            return await self.show(server) is None

        await eventually(gone, f"{server} gone", timeout_s)

    async def openstack(self, *words: str) -> Any:
        """Return what the real client ``openstack`` prints, as JSON where it is."""
        person = PEOPLE[self.who]
        program = ROOT / ".venv" / "bin" / "openstack"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "OS_AUTH_URL": f"{self.root}/identity/v3",
            "OS_USERNAME": person.name,
            "OS_PASSWORD": password_of(self.cloud.layout, person),
            "OS_PROJECT_NAME": person.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
        }
        out, err, code = await getProcessOutputAndValue(
            str(program), words, environment
        )
        if code != 0:
            raise AssertionError(f"openstack {' '.join(words)}: {err.decode()}")
        if "json" not in words:
            return out.decode()
        # While it waits it prints how far the server has come.
        begin = min(at for at in (out.find(b"{"), out.find(b"[")) if at >= 0)
        return orjson.loads(out[begin:])

    async def _log_in(self) -> str:
        person = PEOPLE[self.who]
        user = {
            "name": person.name,
            "domain": {"id": "default"},
            "password": password_of(self.cloud.layout, person),
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        reply = await self._send(
            "POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity}}, {}
        )
        return reply.headers.getRawHeaders("X-Subject-Token")[0]

    async def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Reply:
        response = await treq.request(
            method,
            self.root + path,
            headers=headers | {"Content-Type": "application/json"},
            data=None if body is None else orjson.dumps(body),
            timeout=30,
            # Without a pool, no connection outlives the test.
            agent=Agent(reactor, connectTimeout=5),
        )
        content = await response.content()
        return Reply(
            response.code, response.headers, orjson.loads(content) if content else None
        )


class LiveTestCase(TestCase):
    """A test with a running cloud; the servers that it makes are deleted after it."""

    timeout = 240

    def setUp(self) -> None:
        self.cloud = running_cloud()
        self.user = User(self.cloud)
        self.admin = User(self.cloud, "admin")

    def later(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Have something done after the test, whatever becomes of it."""
        self.addCleanup(lambda: ensureDeferred(function(*arguments)))

    async def made(self, **how: str) -> str:
        """Ask for a server, which is deleted after the test."""
        server = await self.user.create(**how)
        self.addCleanup(lambda: ensureDeferred(self._cleaned(server)))
        return server

    async def booted(self) -> tuple[str, str]:
        """Have a guest that runs; its id, and its name at Ganeti."""
        server = await self.made(image="tiny", flavor="m1.small")
        name = f"snf-{await self.number(server)}"
        await self.boots(name)
        await self.user.until(server, "ACTIVE")
        return server, name

    async def boots(self, instance: str, times: int = 1, timeout_s: float = 90) -> str:
        """
        Wait until a server has come up so often; return what it has said by then.

        The log of its serial port has that whether or not somebody looks at the port.
        """
        layout = self.cloud.layout
        logs = [
            Log(layout / f"serial{machine.node.suffix}" / f"{instance}.log", 0)
            for machine in self.cloud.ganeti.machines
        ]

        async def so_often() -> str | None:
            for said in await deferToThread(lambda: [log.tail() for log in logs]):
                if said.count(b"READY uptime=") >= times:
                    return said.decode("utf-8", "replace")
            return None

        what = f"{instance} comes up"
        return await eventually(so_often, what, timeout_s, every_s=0.2)

    async def _cleaned(self, server: str) -> None:
        if await self.user.show(server) is not None:
            await self.user.delete(server, 120)

    async def number(self, server: str) -> int:
        """Return the number in a server's name at Ganeti."""
        reply = await self.admin.call("GET", f"/compute/v2.1/servers/{server}")
        name = reply.json["server"]["OS-EXT-SRV-ATTR:instance_name"]
        return int(name.removeprefix("snf-"))

    async def instances(self) -> dict[str, str]:
        """Return the status of every instance of the cluster, by its name."""
        out = await self.inside("gnt-instance", "list", "--no-headers", "-oname,status")
        return dict(line.split() for line in out.splitlines())

    async def inside(self, *command: str) -> str:
        """Return what a command prints on the cluster's master."""
        run = self.cloud.ganeti.master.namespace.run
        return await deferToThread(run, command[0], command)

    def query(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement in the cloud's database."""
        dsn = psycopg2.extensions.make_dsn(
            self.cloud.postgres.superuser_dsn, dbname="cyclades"
        )
        connection = psycopg2.connect(dsn)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    async def restart_daemons(self) -> None:
        """Have everything of the cloud running again."""
        await deferToThread(self.cloud.up)

    def kill_cyclades(self) -> None:
        """End ``twistd cyclades`` as a power cut would."""
        kill(daemons.cyclades(self.cloud.layout).pid())

    def kill_eventd(self) -> None:
        """End the master's ``twistd snf-eventd`` as a power cut would."""
        node = self.cloud.ganeti.master.node
        kill(daemons.eventd(self.cloud.layout, node).pid())


def kill(pid: int | None) -> None:
    """End a process with SIGKILL."""
    if pid is None:
        raise AssertionError("it does not run")
    os.kill(pid, 9)


async def eventually(
    look: Callable[[], Any], what: str, timeout_s: float, every_s: float = 0.05
) -> Any:
    """Return what ``look`` finds as soon as it finds something."""
    end = reactor.seconds() + timeout_s
    while True:
        found = await look()
        if found:
            return found
        if reactor.seconds() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        await deferLater(reactor, every_s)


async def serial(
    cloud: Cloud, instance: str, until: str, timeout_s: float = 60, typed: str = ""
) -> str:
    """
    Return what a guest says on its serial port, from its start up to a text.

    :param typed: What is typed there first.
    """
    return await deferToThread(serial_here, cloud, instance, until, timeout_s, typed)


def serial_here(
    cloud: Cloud, instance: str, until: str, timeout_s: float = 60, typed: str = ""
) -> str:
    """Return the same in the caller's thread, which waits for it."""
    inside = f"/run/ganeti/kvm-hypervisor/ctrl/{instance}.serial"
    paths = [machine.namespace.path(inside) for machine in cloud.ganeti.machines]
    end = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX) as port:
        # It is on one of the nodes.
        while not any(
            _offered(instance, path) and not port.connect_ex(str(path))
            for path in paths
        ):
            if time.monotonic() > end:
                raise AssertionError(f"{instance} has no serial port")
            time.sleep(0.01)
        port.settimeout(max(end - time.monotonic(), 0.001))
        port.sendall(typed.encode())
        said = b""
        while until.encode() not in said:
            port.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more = port.recv(4096)
            except TimeoutError:
                raise AssertionError(f"no {until} in {said[-2000:]!r}") from None
            if not more:
                raise AssertionError(f"the guest ended: {said!r}")
            said += more
    return said.decode("utf-8", "replace")


def _offered(instance: str, path: Path) -> bool:
    """
    Return whether a serial port is there for us.

    Of servers the node's daemon has to be there first, since QEMU itself lets one in;
    of other instances it leaves the ports alone.
    """
    return not instance.startswith("snf-") or path.with_suffix(".line").exists()


def connects(address: str, port: int, timeout_s: float = 0.5) -> bool:
    """Return whether a TCP connection to an address comes about."""
    with (
        suppress(OSError),
        socket.create_connection((address, port), timeout=timeout_s),
    ):
        return True
    return False
