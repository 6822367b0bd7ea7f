"""``twistd cyclades`` as vncauthproxy, with a QEMU behind it."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.process import clean_environment, stop_all, wait_for
from snf.config import ConfigError, Console
from snf.tap.console import check_places, node_settings, read_console
from snf.unix_socket import listens
from tests.console.certificates import Authority
from tests.console.qemu import qemu
from tests.tap.test_demo import free_port

_ROOT = Path(__file__).parents[2]

_CONFIG = """
[services]
run = ["vncauthproxy"]
[database]
dsn = "host=127.0.0.1 port=1 dbname=none"
[broker]
url = "memory:"
[console]
address = "console.example.org"
ports = [{first}, {last}]
control_socket = "{socket}"
control_mode = "0600"
"""


class DaemonTests(SynchronousTestCase):
    """The daemon by itself."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="snf-vap-")))
        self.control = self.folder / "ctrl.sock"
        self.port = free_port()
        self.config = self.folder / "cyclades.toml"
        self.config.write_text(
            _CONFIG.format(first=self.port, last=self.port, socket=self.control)
        )

    def started(self) -> subprocess.Popen[bytes]:
        """Have the daemon."""
        log = self.folder / "log"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "twisted", "--log-file", str(log)),
                *("cyclades", "--config", str(self.config)),
            ],
            cwd=_ROOT,
            env=clean_environment(PYTHONPATH=str(_ROOT)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(stop_all, [process.pid], 10)
        wait_for(lambda: listens(self.control), "the control socket", 30)
        return process

    def test_killed(self) -> None:
        """Where one was killed the next one answers, whoever has its number now."""
        first = self.started()
        first.kill()
        wait_for(lambda: not listens(self.control), "its end", 10)
        # Nobody has waited for the first one yet: its number is still taken.
        self.started()
        answer = self.ask(self.control, 1)
        self.assertEqual("FAILED", answer["status"])

    def test_forwards(self) -> None:
        """It needs no database, answers on its socket, and leads to the screen."""
        control, first = self.control, self.port
        screen = self.enterContext(qemu())
        self.started()
        self.assertEqual(0o600, control.stat().st_mode & 0o777)
        answer = self.ask(control, screen.port)
        expected = {
            "source_port": first,
            "status": "OK",
            "proxy_address": "console.example.org",
        }
        self.assertEqual(expected, answer)
        with socket.create_connection(("127.0.0.1", first), 10) as viewer:
            self.assertEqual(b"RFB 003.008\n", viewer.recv(12))

    def ask(self, control: Path, port: int) -> Any:
        """Return what is answered to a request."""
        request = {
            "source_port": 0,
            "destination_address": "127.0.0.1",
            "destination_port": port,
            "password": "hunter22",
        }
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(control))
            connection.sendall(json.dumps(request).encode())
            return json.loads(connection.recv(4096))


class FileTests(SynchronousTestCase):
    """The files that ``[console]`` names."""

    def file(self, text: str) -> Path:
        """Return one."""
        path = Path(self.mktemp())
        path.write_text(text)
        return path

    def test_read(self) -> None:
        """A chain of certificates with its key; who vouches for nodes; a password."""
        authority = Authority.new()
        key, certificate = authority.issue("console.example.org")
        settings = Console(
            certificate_file=self.file(certificate + authority.pem),
            key_file=self.file(key),
            node_ca_file=self.file(authority.pem),
            node_password_file=self.file("hunter22\n"),
            node_tls="required",
        )
        secrets = read_console(settings)
        self.assertIsNotNone(secrets.tls)
        self.assertNotIn("hunter22", repr(secrets))
        node = node_settings(settings, secrets)
        self.assertEqual(
            ("hunter22", True, False), (node.password, node.tls, node.plain)
        )
        self.assertNotIn("hunter22", repr(node))

    def test_no_place(self) -> None:
        """Where the control socket cannot be, or nobody could ask, is said at once."""
        for given, said in (
            ({"control_socket": self.mktemp() + "/x/s"}, "there is no directory"),
            ({"control_socket": ""}, "needs one of them"),
        ):
            with self.assertRaises(ConfigError) as caught:
                check_places(Console(**given))
            self.assertIn(said, str(caught.exception))
        check_places(Console(control_socket="", control_listen="127.0.0.1:0"))
        check_places(Console(control_socket="/tmp/s"))

    def test_wrong(self) -> None:
        """Each that is not what it should be is named."""
        authority = Authority.new()
        key, certificate = authority.issue("x")
        other, _ = authority.issue("x")
        good, no = self.file(certificate), self.file("nonsense")
        for named, given in (
            (no, {"node_ca_file": no}),
            (no, {"certificate_file": no, "key_file": self.file(key)}),
            (no, {"certificate_file": good, "key_file": no}),
            (None, {"certificate_file": good, "key_file": self.file(other)}),
            (None, {"node_password_file": Path("/nonexistent")}),
        ):
            with self.assertRaises(ConfigError) as caught:
                read_console(Console(**given))  # type: ignore[arg-type]
            self.assertNotIn("PRIVATE", str(caught.exception))
            if named is not None:
                self.assertTrue(str(caught.exception).startswith(f"{named}: "))
