"""A node with snf-noded, whose guests ask for their metadata."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from snf.core.node_keys import NodeKeys, written
from tests.node.inside import inside
from tests.node.lab import ROOT, Guest, batch
from tests.node.test_bridged import FILTERED, BridgedTestCase
from tests.noded.world import written_guest

SERVICE = "169.254.169.254"
DHCP = f"{FILTERED} nfdhcpd"
KEYS = NodeKeys.of("a" * 32)
API = 8774
_WAIT_S = 30.0


class Api(BaseHTTPRequestHandler):
    """Tells nodes of each server, whose flavor has its number."""

    def do_GET(self) -> None:
        """See ``BaseHTTPRequestHandler``."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        [expires], [signature] = query["expires"], query["signature"]
        good = KEYS.shared.good("GET", parts.path, expires, signature, time.time())
        body = written_guest(flavor=parts.path.rpartition("/")[2]) if good else b""
        self.send_response(200 if good else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """See ``BaseHTTPRequestHandler``: say nothing."""


class MetadataTestCase(BridgedTestCase):
    """A node with snf-noded, and an API that it reaches."""

    def setUp(self) -> None:
        super().setUp()
        server = ThreadingHTTPServer(("", 0), Api, bind_and_activate=False)
        server.socket.close()
        server.socket = inside(
            self.node.namespace, socket.create_server, ("127.0.0.1", API)
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        folder = self.node.directory
        for one in (folder, folder.parent):
            one.chmod(0o755)
        (folder / "key").write_text(written(KEYS))
        (folder / "metadata").mkdir(exist_ok=True)
        self.log = folder / "log"
        config = folder / "noded.toml"
        config.write_text(
            f'[services]\nrun = ["metadata"]\n[api]\nurls = ["http://127.0.0.1:{API}"]\n'
            f'[node]\nkey_file = "{folder / "key"}"\n'
            f'[metadata]\ncache_s = 0\ndirectory = "{folder / "metadata"}"\n'
        )
        twistd = Path(sys.executable).with_name("twistd")
        argv = ["ip", "netns", "exec", self.node.namespace, str(twistd)]
        argv += ["--nodaemon", "--pidfile=", f"--logfile={self.log}", "snf-noded"]
        self.process = subprocess.Popen(
            [*argv, f"--config={config}"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(self.process.wait, 20)
        self.addCleanup(self.process.send_signal, signal.SIGTERM)
        self.until(lambda: "starting" in self.text() or "start" in self.text())

    def text(self) -> str:
        """Return the daemon's log."""
        return self.log.read_text() if self.log.exists() else ""

    def until(self, true) -> None:
        """Return when something is so."""
        end = time.monotonic() + _WAIT_S
        while not true():
            self.assertIsNone(self.process.poll(), self.text())
            self.assertLess(time.monotonic(), end, self.text())
            time.sleep(0.05)

    def told(self, guest: Guest, source: str = "", wait_s: float = 5) -> str | None:
        """Return which server's metadata a guest is answered; None where it is not."""

        def asked() -> str | None:
            connection = http.client.HTTPConnection(
                SERVICE, 80, wait_s, source_address=(source, 0) if source else None
            )
            try:
                connection.request("GET", "/latest/meta-data/instance-type")
                answer = connection.getresponse()
                text = answer.read().decode()
                return text if answer.status == 200 else f"status {answer.status}"
            except OSError:
                return None
            finally:
                connection.close()

        return inside(guest.namespace, asked)

    def assert_told(self, guest: Guest, number: int) -> None:
        """A guest is told of its own server, once the daemon has heard of its tap."""
        self.until(lambda: self.told(guest) == str(number))

    def bridged(self, number: int, hardware: str, address: str) -> Guest:
        """Return a guest on the shared bridge, with an address that nfdhcpd lends it."""
        guest = self.lab.guest(self.node, f"tap{number}", hardware)
        private = self.private(guest, number, "prv0", DHCP)
        subnet = {"IP": address, "NETWORK_SUBNET": "10.1.0.0/24"}
        self.node.up({**private, **subnet})
        batch(
            guest.namespace,
            f"addr add {address}/24 dev eth0",
            f"route add {SERVICE} dev eth0",
        )
        return guest
