"""What the benches of the API measure: PostgreSQL, and processes of ``twistd cyclades``.

All of it is private, listens on 127.0.0.1, and is taken down again.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from attrs import field, frozen

from bench.load import ROOT
from snf.allinone.files import write
from snf.allinone.layout import Instance, Layout, choose, octet_is_free, port_is_free
from snf.allinone.postgres import Postgres, debian_programs
from snf.allinone.process import clean_environment, stop_all, wait_for
from snf.core.identity import Grant, Project, Role, User
from snf.core.passwords import token_digest
from snf.storage import tokens, users
from snf.storage.database import connect
from snf.storage.migrate import migrate
from snf.testing import world

TOKEN = "token-of-alice"
OTHER_TOKEN = "token-of-bob"
ADMIN_TOKEN = "token-of-admin"

_TOKENS = (
    (TOKEN, world.ALICE, world.PROJECT_A, Role.MEMBER),
    (OTHER_TOKEN, world.BOB, world.PROJECT_B, Role.MEMBER),
    (ADMIN_TOKEN, world.ADMIN, world.PROJECT_ADMIN, Role.ADMIN),
)


@frozen
class Stack:
    """A database with a world in it, and who serves it."""

    layout: Layout
    instance: Instance
    postgres: Postgres
    _started: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def port(self) -> int:
        """Where the API listens."""
        return self.instance.api_port

    @property
    def images(self) -> Path:
        """Where the data of images is kept."""
        return (self.layout / "images").absolute()

    def connect(self) -> Any:
        """Return a connection to the database, as the product makes it."""
        secret = self.postgres.password_file.read_text().strip()
        return connect(self.postgres.dsn, secret)

    def execute(self, *statements: str) -> None:
        """Execute statements, each by itself."""
        connection = self.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    @contextmanager
    def serving(self, processes: int = 1) -> Iterator[list[int]]:
        """Have so many processes serve the API; their pids."""
        started = [self.start("cyclades", run=["api"]) for _ in range(processes)]
        try:
            self.wait_for(self.port)
            yield [one.pid for one in started]
        finally:
            self.stop(started)

    @contextmanager
    def simulated(self) -> Iterator[int]:
        """Have a simulated Ganeti, and all that Cyclades does with it; its pid."""
        run = ["submitter", "dispatcher", "reconciler"]
        started = self.start("cyclades-demo", run, create_s=1.0)
        try:
            wait_for(self._cluster_listens, "the simulation", 30)
            yield started.pid
        finally:
            self.stop([started])

    def _cluster_listens(self) -> bool:
        connection = self.connect()
        with connection, connection.cursor() as txn:
            txn.execute("SELECT url FROM cluster")
            [(url,)] = txn.fetchall()
        connection.close()
        return _listens(urlsplit(url).port or 0)

    def servers(self, project: Project, count: int) -> list[UUID]:
        """Return the ids of so many servers, from all over the table."""
        connection = self.connect()
        with connection, connection.cursor() as txn:
            txn.execute(
                "SELECT uuid FROM server WHERE project_id = %s AND deleted IS NULL"
                " ORDER BY md5(id::text) LIMIT %s",
                (project.id, count),
            )
            rows = txn.fetchall()
        connection.close()
        return [row[0] for row in rows]

    def start(
        self, plugin: str, run: list[str], **simulation: float
    ) -> subprocess.Popen[bytes]:
        """Start a process of the product."""
        file = self.layout / f"{plugin}.toml"
        tables: dict[str, dict[str, Any]] = {
            "services": {"run": run},
            "database": {
                "dsn": self.postgres.dsn,
                "password_file": str(self.postgres.password_file),
            },
            "broker": {"url": "memory:"},
            "api": {
                "listen": f"shared:{self.port}:interface=127.0.0.1",
                "public_url": f"http://127.0.0.1:{self.port}",
            },
            "images": {"directory": str(self.images)},
        }
        if simulation:
            tables["simulation"] = {"cluster": world.CLUSTER.name, **simulation}
        write(file, _toml(tables))
        twistd = str(Path(sys.executable).with_name("twistd"))
        options = ["--nodaemon", "--pidfile=", plugin, "--config", str(file)]
        return self._spawn(plugin, [twistd, *options])

    @contextmanager
    def static(self, body: bytes) -> Iterator[int]:
        """Have Twisted serve nothing but these bytes; the port."""
        (self.layout / "body").write_bytes(body)
        # Nobody listens on the API's own while it is not served.
        port = _free_port(but=self.port)
        words = [sys.executable, "-m", "bench.static", str(port)]
        started = self._spawn("static", [*words, str(self.layout / "body")])
        try:
            self.wait_for(port)
            yield port
        finally:
            self.stop([started])

    def _spawn(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.layout / "log" / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                words,
                cwd=ROOT,
                env=clean_environment(PYTHONPATH=str(ROOT)),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(child)
        return child

    def wait_for(self, port: int) -> None:
        """Wait until something listens."""
        wait_for(
            lambda: _listens(port),
            f"port {port}",
            30,
            alive=lambda: all(one.poll() is None for one in self._started),
        )

    def stop(self, started: list[subprocess.Popen[bytes]]) -> None:
        """Stop processes."""
        stop_all([one.pid for one in started if one.poll() is None], 20)
        for one in started:
            one.wait()
            self._started.remove(one)

    def stop_everything(self) -> None:
        """Stop all that runs."""
        self.stop([*self._started])
        self.postgres.down()


@contextmanager
def stack() -> Iterator[Stack]:
    """Have a PostgreSQL with the world of the tests in it."""
    state = Path(tempfile.mkdtemp(prefix="bench-api-", dir="/var/tmp"))
    state.chmod(0o755)
    layout = Layout(state)
    layout.create()
    instance = choose(state, _free_port(), port_is_free, octet_is_free)
    layout.save(instance)
    postgres = Postgres(layout, instance, debian_programs())
    made = Stack(layout, instance, postgres)
    try:
        postgres.up()
        _fill(made)
        yield made
    finally:
        made.stop_everything()
        if "CYCLADES_BENCH_KEEP" not in os.environ:
            shutil.rmtree(state)


def _fill(made: Stack) -> None:
    connection = made.connect()
    with connection, connection.cursor() as txn:
        migrate(txn)
        world.make(txn)
        for token, user, project, role in _TOKENS:
            tokens.add(txn, token_digest(token), _grant(user, project, role))
        secret = made.layout.secret("rapi")
        write(secret, "of the bench")
        txn.execute("UPDATE cluster SET password_file = %s", (str(secret),))
        # As much room as is needed.
        txn.execute(
            "UPDATE subnet SET cidr = '10.0.0.0/8', gateway = '10.0.0.1';"
            "UPDATE allocation_pool SET first = '10.0.0.10',"
            " last = '10.255.255.250'"
        )
    connection.close()


def _grant(user: User, project: Project, role: Role) -> Grant:
    now = datetime.now(UTC)
    return Grant(
        user=user,
        project=project,
        roles=frozenset({role}),
        methods=("password",),
        audit_id="bench",
        issued=now,
        expires=now + timedelta(days=1),
    )


def add_project(made: Stack, project: Project) -> None:
    """Store one more project."""
    connection = made.connect()
    with connection, connection.cursor() as txn:
        users.add_project(txn, project)
    connection.close()


def add_servers(
    made: Stack, project: Project, count: int, deleted: bool = False
) -> None:
    """
    Store servers that run, each with what most have: an address, and metadata, in a
    project that has its default security group.

    :param deleted: Whether they do not run any more, and so have no address.
    """
    state = "'gone', 'DELETED', now()" if deleted else "'up', 'ACTIVE', NULL"
    made.execute(
        "INSERT INTO security_group (id, project_id, name, is_default)"
        f" VALUES (gen_random_uuid(), '{project.id}', 'default', true)"
        " ON CONFLICT (project_id) WHERE is_default DO NOTHING",
        "INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id,"
        " cluster_id, hostname, reservation, progress, created, launched, observed,"
        f" status, deleted) SELECT gen_random_uuid(), '{project.id}',"
        f" '{world.ALICE.id}', 'web-' || i, '{world.SMALL.id}', '{world.TINY.id}',"
        " c.id, 'web-' || i, 'r-abcdefgh', 100, now() - i * interval '1 minute',"
        f" now() - i * interval '1 minute', {state}"
        f" FROM generate_series(1, {count}) i, cluster c",
        "INSERT INTO server_metadata (server_id, key, value) SELECT s.id, k, 'of web'"
        " FROM server s, unnest(ARRAY['role', 'owner']) k"
        " ON CONFLICT DO NOTHING",
        "INSERT INTO port (id, network_id, project_id, server_id, mac, state)"
        " SELECT gen_random_uuid(), n.id, s.project_id, s.id,"
        " ('aa00' || lpad(to_hex(s.id), 8, '0'))::macaddr, 'ACTIVE'"
        " FROM server s, network n WHERE s.deleted IS NULL ON CONFLICT DO NOTHING",
        "INSERT INTO address (subnet_id, address, port_id)"
        " SELECT u.subnet_id, u.first + p.server_id, p.id"
        " FROM port p, allocation_pool u"
        " ON CONFLICT DO NOTHING",
        "VACUUM ANALYZE",
    )


def get(path: str, token: str = TOKEN) -> str:
    """Return a request for something."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {token}\r\n"
        "Accept: application/json\r\n\r\n"
    )


def post(path: str, body: Any, token: str = TOKEN) -> str:
    """Return a request that sends JSON."""
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    )


def fetch(port: int, request: str) -> bytes:
    """Return the body of what is answered to a request, which must be a success."""
    head, _, text = request.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, text or None, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{first}: {answer.status} {body[:500]!r}")
    return body


def rss_mb(pids: list[int]) -> float:
    """Return the memory that processes have in use, the largest one's, in MB."""
    return max(
        int(line.split()[1]) / 1024
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def cpu_s(pids: Iterable[int]) -> float:
    """Return the processor time, in s, that processes and all their children have had."""
    return sum(map(_ticks, pids)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # its parent has its time by now
    # proc(5): utime and stime, and those of the children that have ended.
    return sum(map(int, fields[11:15])) + sum(_ticks(int(one)) for one in children)


def _free_port(but: int | None = None) -> int:
    # Not where a cloud is by default: somebody may want one meanwhile.
    return next(
        port for port in range(30_500, 31_000) if port != but and port_is_free(port)
    )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    lines = []
    for table, keys in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
