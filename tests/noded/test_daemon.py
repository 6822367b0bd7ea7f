"""snf-noded as a process."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from snf.allinone.layout import port_is_free
from snf.core.node_keys import NodeKeys, written
from tests.serial.qemu import Qemu

ROOT = Path(__file__).parents[2]
KEYS = NodeKeys.of("a" * 32)


class DaemonTests(SynchronousTestCase):
    """``twistd snf-noded``."""

    def setUp(self) -> None:
        if os.getuid() != 0:
            raise SkipTest("needs root")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        key = folder / "key"
        key.write_text(written(KEYS))
        key.chmod(0o600)
        self.port = next(port for port in range(21_000, 22_000) if port_is_free(port))
        self.config = folder / "noded.toml"
        self.config.write_text(
            '[services]\nrun = []\n[api]\nurls = ["http://127.0.0.1:1"]\n[node]\n'
            f'key_file = "{key}"\nlisten = "tcp:{self.port}:interface=127.0.0.1"\n'
        )
        self.log = folder / "log"

    def argv(self, *more: str) -> list[str]:
        """Return the command."""
        twistd = str(Path(sys.executable).with_name("twistd"))
        options = ["--nodaemon", "--pidfile=", f"--logfile={self.log}"]
        return [twistd, *options, "snf-noded", f"--config={self.config}", *more]

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, and wait until it answers."""
        process = subprocess.Popen(
            self.argv(), cwd=self.config.parent, env={"PYTHONPATH": str(ROOT)}
        )
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while self.asked("/") is None:
            self.assertIsNone(process.poll(), "it ended")
            self.assertLess(time.monotonic(), deadline, "it does not answer")
            time.sleep(0.05)
        return process

    def asked(self, target: str) -> int | None:
        """Return the status of an answer, if there is one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target)
            return connection.getresponse().status
        except ConnectionError:
            return None
        finally:
            connection.close()

    def test_rights(self) -> None:
        """It is nobody, and has no capability that none of its services needs."""
        process = self.start()
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        )
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
            self.assertEqual("0" * 16, status[kind])
        self.assertEqual(["65534"] * 4, status["Uid"].split())
        self.assertEqual(("", "1"), (status["Groups"].strip(), status["NoNewPrivs"]))

    def test_listens(self) -> None:
        """Who has the key is let in; its URL is not logged."""
        process = self.start()
        path = "/noded/v1/nothing"
        query = KEYS.shared.query("GET", path, int(time.time()) + 60)
        self.assertEqual(404, self.asked(f"{path}?{query}"))
        self.assertEqual(403, self.asked(path))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, process.wait(20))
        text = self.log.read_text()
        self.assertNotIn("signature", text)
        self.assertNotIn("Traceback", text)

    def test_serial(self) -> None:
        """It keeps what guests say, whose lines are root's, and is not root."""
        home = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        (home / "instances").write_text("snf-7\n")
        text = self.config.read_text().replace("run = []", 'run = ["serial"]')
        self.config.write_text(
            f'{text}[serial]\nsockets = "{home}"\nlogs = "{home}/logs"\n'
            f'instances_file = "{home}/instances"\n'
        )
        qemu = Qemu(home, "snf-7")
        self.addCleanup(qemu.end)
        process = self.start()
        qemu.start()
        self.until(qemu.socket.with_suffix(".line").exists)
        owner = qemu.socket.stat()
        self.assertEqual(
            (0, 0, 0o600), (owner.st_uid, owner.st_gid, owner.st_mode & 0o777)
        )
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(os.fspath(qemu.socket))
            qemu.go_now()
            self.until((home / "logs" / "snf-7.log").exists)
            console.settimeout(20)
            self.assertTrue(console.recv(1))
        self.assertEqual(0, (home / "logs").stat().st_uid)
        path = "/noded/v1/serial/snf-7/log"
        query = KEYS.shared.query("GET", path, int(time.time()) + 60)
        self.assertEqual(200, self.asked(f"{path}?{query}"))
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        self.assertFalse(qemu.socket.with_suffix(".line").exists())
        self.assertNotIn("Traceback", self.log.read_text())

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.log.read_text())
            time.sleep(0.02)

    def test_check(self) -> None:
        """``--check`` says whether the configuration is valid, in a line."""
        self.assertEqual(0, self.checked().returncode)
        text = self.config.read_text()
        self.config.write_text(text.replace("tcp:", "nothing:"))
        done = self.checked()
        self.assertEqual(1, done.returncode)
        self.assertIn("node: listen: ", done.stderr + done.stdout)

    def checked(self) -> "subprocess.CompletedProcess[str]":
        """Return how ``--check`` ended."""
        return subprocess.run(
            self.argv("--check"),
            cwd=self.config.parent,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
