"""Two processes of the API, as ``twistd`` starts them, on one database."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.process import clean_environment, stop_all, wait_for
from snf.core.identity import Grant, Role
from snf.core.passwords import token_digest
from snf.storage import tokens
from snf.storage.database import connect
from snf.testing.postgres import fresh_dsn
from snf.testing.world import ALICE, NETWORK, PROJECT_A, SUBNET, make
from tests.tap.test_demo import free_port

_ROOT = Path(__file__).parents[2]
_LONGEST_S = 60
_TOKEN = "token-of-alice"
_PORTS = "/network/v2.0/ports"

# The only one that the subnet gives.
_LAST = "192.0.2.77"

_CONFIG = """
[services]
run = ["api"]

[database]
dsn = "{dsn}"

[broker]
url = "memory:"

[api]
listen = "tcp:{port}:interface=127.0.0.1"
public_url = "http://127.0.0.1:{port}"
"""


def _grant() -> Grant:
    now = datetime.now(UTC)
    return Grant(
        user=ALICE,
        project=PROJECT_A,
        roles=frozenset({Role.MEMBER}),
        methods=("password",),
        audit_id="test",
        issued=now,
        expires=now + timedelta(hours=1),
    )


def _fill(txn: Any) -> None:
    make(txn)
    tokens.add(txn, token_digest(_TOKEN), _grant())
    txn.execute(
        "UPDATE allocation_pool SET first = %s, last = %s WHERE subnet_id = %s",
        (_LAST, _LAST, SUBNET.id),
    )


class LastAddressTests(SynchronousTestCase):
    """Who gets what there is just one of."""

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.watch = connect(self.dsn, None)
        self.addCleanup(self.watch.close)
        with self.watch, self.watch.cursor() as txn:
            _fill(txn)
        self.watch.autocommit = True
        self.started: list[subprocess.Popen[bytes]] = []
        self.addCleanup(self.stop)
        self.ports = [self.start(number) for number in range(2)]
        for port in self.ports:
            wait_for(
                lambda port=port: self.answers(port),
                f"port {port}",
                _LONGEST_S,
                alive=lambda: all(one.poll() is None for one in self.started),
            )
        self.threads = ThreadPoolExecutor(2)
        self.addCleanup(self.threads.shutdown)

    def start(self, number: int) -> int:
        """Start a process, and return where it is to listen."""
        port = free_port()
        file = Path(self.mktemp()).absolute()
        file.write_text(_CONFIG.format(dsn=self.dsn, port=port))
        twistd = str(Path(sys.executable).with_name("twistd"))
        options = ["--nodaemon", "--pidfile=", "cyclades", "--config", str(file)]
        with Path(f"process-{number}.log").open("ab") as log:
            child = subprocess.Popen(
                [twistd, *options],
                cwd=_ROOT,
                env=clean_environment(PYTHONPATH=str(_ROOT)),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(child)
        return port

    def stop(self) -> None:
        """Stop them."""
        stop_all([one.pid for one in self.started if one.poll() is None], 20)
        for one in self.started:
            one.wait()

    def answers(self, port: int) -> bool:
        """Return whether a process answers."""
        try:
            code, _ = self.ask(port, "GET", _PORTS)
        except OSError:
            return False
        return code == 200

    def ask(
        self, port: int, method: str, path: str, body: Any = None
    ) -> tuple[int, Any]:
        """Return the status and the JSON that a process answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_S)
        headers = {"X-Auth-Token": _TOKEN, "Content-Type": "application/json"}
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Let nobody store an address until two wait for it."""
        other = connect(self.dsn, None)
        try:
            with other.cursor() as txn:
                txn.execute("LOCK TABLE address IN SHARE ROW EXCLUSIVE MODE")
                yield
                wait_for(lambda: self.waiting() == 2, "the other one", _LONGEST_S)
        finally:
            other.close()

    def waiting(self) -> int:
        """Return how many wait for a lock."""
        with self.watch.cursor() as txn:
            txn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            [(count,)] = txn.fetchall()
            return count

    def both(self, body: Any) -> list[tuple[int, Any]]:
        """Return what the two answer to a request, the lower status first."""
        answers: list[Future[tuple[int, Any]]] = []
        with self.held_up():
            answers += [
                self.threads.submit(self.ask, port, "POST", _PORTS, body)
                for port in self.ports
            ]
        found = [one.result(_LONGEST_S) for one in answers]
        return sorted(found, key=lambda answer: answer[0])

    def assert_one_gets_it(self, reason: str, **wish: Any) -> None:
        """One of two who ask at once gets a port with the address, the other a 409."""
        body = {"port": {"network_id": str(NETWORK.id), **wish}}
        for number in range(4):
            (made, port), (refused, fault) = self.both(body)
            self.assertEqual((201, 409), (made, refused), (port, fault))
            [fixed] = port["port"]["fixed_ips"]
            self.assertEqual(_LAST, fixed["ip_address"])
            self.assertEqual(reason, fault["NeutronError"]["type"])
            with self.watch.cursor() as txn:
                txn.execute("SELECT count(*) FROM port")
                self.assertEqual([(1,)], txn.fetchall())
            path = f"{_PORTS}/{port['port']['id']}"
            code, _ = self.ask(self.ports[number % 2], "DELETE", path)
            self.assertEqual(204, code)

    def test_any(self) -> None:
        """Two who want any address, of which there is one left."""
        self.assert_one_gets_it("IpAddressGenerationFailure")

    def test_that_one(self) -> None:
        """Two who want this very address."""
        self.assert_one_gets_it("IpAddressInUse", fixed_ips=[{"ip_address": _LAST}])
