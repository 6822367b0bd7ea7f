"""Guests ask for their metadata on real taps: who is told what, whatever they claim."""

import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson

from snf.core.node_keys import NodeKeys, written
from tests.node.case import address4, mac
from tests.node.inside import connects, heard, inside, listen, sends, sniffer
from tests.node.lab import ROOT, Guest, batch, run
from tests.node.os.test_cloud_init import PACKAGES, unpacked
from tests.node.test_bridged import FILTERED, BridgedTestCase
from tests.noded.world import SERVER, written_guest

SERVICE = "169.254.169.254"
DHCP = f"{FILTERED} nfdhcpd"
KEYS = NodeKeys.of("a" * 32)
API = 8774
_WAIT_S = 30.0
_ASKER = Path(__file__).with_name("asker.py")


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


class RoutedTests(MetadataTestCase):
    """Guests that the node routes for."""

    def test_own(self) -> None:
        """Each is told its own, by its default route or as a neighbor on its link."""
        first, second = self.routed(1), self.routed(2)
        self.assert_told(first, 1)
        self.assert_told(second, 2)
        batch(second.namespace, f"route add {SERVICE} dev eth0")
        self.assertEqual("2", self.told(second))

    def test_cloud_init(self) -> None:
        """cloud-init's own code finds all that it looks for, as OpenStack's."""
        guest = self.routed(1)
        self.assert_told(guest, 1)
        done = subprocess.run(
            [
                *("ip", "netns", "exec", guest.namespace, "/usr/bin/python3", "-P"),
                *(str(_ASKER), str(self.node.directory / "work")),
            ],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(unpacked() / PACKAGES),
                # It looks for names that nobody has, and here nobody answers at all.
                "RES_OPTIONS": "timeout:1 attempts:1",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        told = orjson.loads(done.stdout.splitlines()[-1])
        self.assertEqual((str(SERVER), {"role": "db"}), (told["id"], told["meta"]))
        self.assertIn("web-1", told["hostname"])
        self.assertEqual(["ssh-ed25519 AAAA me"], [key.strip() for key in told["keys"]])
        self.assertEqual("#!/bin/sh\n", told["user_data"])
        kinds = [network["type"] for network in told["networks"]]
        self.assertEqual(["ipv4_dhcp", "ipv6"], kinds)

    def test_protected(self) -> None:
        """Whatever its firewall, and with the strictest check of sources."""
        inside(
            self.node.namespace,
            Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text,
            "1",
        )
        guest = self.routed(1, "synnefo:network:snf-nic-port1:protected")
        self.assert_told(guest, 1)

    def test_pretended(self) -> None:
        """Who takes another's address is told nothing; the other is, as before."""
        first, second = self.routed(1), self.routed(2)
        self.assert_told(first, 1)
        batch(second.namespace, f"addr add {address4(1)}/32 dev eth0")
        self.assertIsNone(self.told(second, address4(1), 1))
        batch(second.namespace, "addr add 240.0.0.9/32 dev eth0")
        for inner in range(2, 12):
            batch(second.namespace, f"addr replace 240.0.0.{inner}/32 dev eth0")
            self.assertIsNone(self.told(second, f"240.0.0.{inner}", 0.2))
        self.assertEqual("1", self.told(first))
        self.assert_told(second, 2)

    def test_nobody_else(self) -> None:
        """The service is no guest's neighbor's: neither the node nor the Internet has it."""
        self.assert_told(self.routed(1), 1)
        self.assertFalse(connects(self.node.namespace, SERVICE, 80))
        batch(
            self.lab.internet,
            f"route add {SERVICE} via {self.node.address} dev link0 onlink",
        )
        self.assertFalse(connects(self.lab.internet, SERVICE, 80))
        found = run("ip", "-n", self.node.namespace, "route", "show", "table", "local")
        self.assertNotIn(SERVICE, found)

    def test_one_port(self) -> None:
        """Nothing else of the node's can be reached by that address."""
        guest = self.routed(1)
        self.assert_told(guest, 1)
        self.kept(listen(self.node.namespace, 8080))
        self.assertFalse(connects(guest.namespace, SERVICE, 8080))
        self.assertFalse(connects(guest.namespace, self.node.address, 80))

    def test_flood(self) -> None:
        """Ten thousand beginnings of connections are no matter for the other guest."""
        first, second = self.routed(1), self.routed(2)
        self.assert_told(first, 1)
        self.assert_told(second, 2)
        source = bytes(map(int, address4(1).split(".")))
        own = bytes.fromhex(mac(1).replace(":", ""))

        def flood() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind(("eth0", 0))
                for number in range(10_000):
                    raw.send(_syn(own, source, 1024 + number))

        inside(first.namespace, flood)
        self.assertEqual("2", self.told(second))
        self.assertIsNone(self.process.poll())
        opened = [inside(first.namespace, self._silent) for _ in range(20)]
        self.assertEqual("2", self.told(second))
        for one in opened:
            if one is not None:
                one.close()
        self.assert_told(first, 1)

    def _silent(self) -> socket.socket | None:
        """Return a connection that says nothing."""
        try:
            return socket.create_connection((SERVICE, 80), 0.3)
        except OSError:
            return None

    def test_rights(self) -> None:
        """The daemon has none of root's rights while it serves."""
        self.assert_told(self.routed(1), 1)
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        for kind in ("CapEff", "CapPrm", "CapBnd"):
            self.assertIn(f"{kind}:\t{'0' * 16}", status)
        self.assertIn("Uid:\t65534\t65534\t65534\t65534", status)

    def test_half_closed(self) -> None:
        """Who ends what it sends, as a shell script does, is answered all the same."""
        guest = self.routed(1)
        self.assert_told(guest, 1)

        def asked() -> bytes:
            with socket.create_connection((SERVICE, 80), 10) as connection:
                connection.sendall(
                    b"GET /latest/meta-data/instance-type HTTP/1.0\r\n\r\n"
                )
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(4096), b""))

        self.assertTrue(inside(guest.namespace, asked).endswith(b"\r\n\r\n1"))

    def test_gone(self) -> None:
        """What is taken down is nobody's; a new guest of the same tap is told its own."""
        guest = self.routed(1)
        self.assert_told(guest, 1)
        self.lab.unplug(guest, self.node)
        self.assertEqual("", self.node.call("gc").stderr)
        self.assertEqual([], list((self.node.directory / "metadata").iterdir()))
        self.lab.plug(guest, self.node)
        self.node.up({**self.public(guest, 1), "INSTANCE": "snf-9"})
        batch(
            guest.namespace,
            f"addr add {address4(1)}/24 dev eth0",
            f"route add {SERVICE} dev eth0",
        )
        self.assert_told(guest, 9)

    def test_not_ours(self) -> None:
        """An instance that is no server of the cloud's is told that there is nothing."""
        guest = self.lab.guest(self.node, "tap1", mac(1))
        self.node.up({**self.public(guest, 1), "INSTANCE": "web.example.org"})
        batch(
            guest.namespace,
            f"addr add {address4(1)}/24 dev eth0",
            f"route add {SERVICE} dev eth0",
        )
        self.until(lambda: self.told(guest) == "status 404")


class BridgedTests(MetadataTestCase):
    """Guests of private networks, whose addresses may be the same."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge("prv0")
        self.one = self.bridged(1, "aa:00:01:00:00:01", "10.1.0.1")
        self.two = self.bridged(2, "aa:00:01:00:00:02", "10.1.0.2")
        self.other = self.bridged(3, "aa:00:11:00:00:03", "10.1.0.1")

    def test_own(self) -> None:
        """Each is told its own, also two of two networks with the same address."""
        for number, guest in enumerate((self.one, self.two, self.other), 1):
            self.assert_told(guest, number)

    def test_by_a_router(self) -> None:
        """So is one that sends it to whatever router it believes in."""
        self.assert_told(self.two, 2)
        batch(
            self.two.namespace,
            f"route del {SERVICE} dev eth0",
            "route add default via 10.1.0.254",
            "neigh add 10.1.0.254 lladdr aa:00:01:00:00:99 dev eth0",
        )
        self.assertEqual("2", self.told(self.two))

    def test_unheard(self) -> None:
        """Its neighbors hear nothing of what it asks or is told, not even for whom it looks."""
        self.assert_told(self.one, 1)
        batch(self.one.namespace, "neigh flush dev eth0")
        ear = self.kept(sniffer(self.two.namespace, "eth0"))
        self.assertEqual("1", self.told(self.one))
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))

    def test_pretended(self) -> None:
        """Who takes a neighbor's address, which it may there, is told nothing by it."""
        self.assert_told(self.one, 1)
        batch(self.two.namespace, "addr add 10.1.0.1/24 dev eth0")
        self.assertIsNone(self.told(self.two, "10.1.0.1", 1))
        self.assertEqual("1", self.told(self.one))
        self.assertEqual("2", self.told(self.two, "10.1.0.2"))

    def test_pretended_service(self) -> None:
        """Nobody can be the service for a neighbor."""
        ear = self.kept(sniffer(self.one.namespace, "eth0"))
        own = bytes.fromhex(self.two.mac.replace(":", ""))
        body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + own
        body += socket.inet_aton(SERVICE) + b"\xff" * 6 + socket.inet_aton("10.1.0.1")
        sends(self.two.namespace, "eth0", b"\xff" * 6 + own + b"\x08\x06" + body)
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))
        batch(self.two.namespace, f"addr add {SERVICE}/32 dev eth0")
        self.kept(listen(self.two.namespace, 80))
        self.assert_told(self.one, 1)

    def test_not_offered(self) -> None:
        """Where nothing is lent its members may have a service of their own."""
        self.bridge("prv1")
        asking = self.member(4, "prv1", "physical-vlan private", "aa:00:00:00:00:04")
        serving = self.member(5, "prv1", "physical-vlan private", "aa:00:00:00:00:05")
        batch(serving.namespace, f"addr add {SERVICE}/32 dev eth0")
        batch(asking.namespace, f"route add {SERVICE} dev eth0")
        self.kept(listen(serving.namespace, 80))
        self.assertTrue(connects(asking.namespace, SERVICE, 80))
        self.assertFalse((self.node.directory / "metadata" / "tap4").exists())

    def test_binding(self) -> None:
        """nfdhcpd tells the way to it."""
        text = (self.node.directory / "bindings" / "tap1").read_text()
        self.assertIn(f"ROUTES={SERVICE}/32@0.0.0.0\n", text)


def _syn(own: bytes, source: bytes, port: int) -> bytes:
    """Return a frame that begins a connection; nobody looks at its checksums before."""
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        40,
        0,
        0x4000,
        64,
        6,
        0,
        source,
        socket.inet_aton(SERVICE),
    )
    head = head[:10] + struct.pack(">H", _sum(head)) + head[12:]
    tcp = struct.pack(">HHIIBBHHH", port, 80, port, 0, 0x50, 2, 1024, 0, 0)
    pseudo = source + socket.inet_aton(SERVICE) + struct.pack(">BBH", 0, 6, 20)
    tcp = tcp[:16] + struct.pack(">H", _sum(pseudo + tcp)) + tcp[18:]
    return bytes.fromhex("eeeeeeeeeeee") + own + b"\x08\x00" + head + tcp


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
