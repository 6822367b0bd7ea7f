"""Guests ask for their metadata on real taps: who is told what, whatever they claim."""

import os
import socket
import struct
import subprocess
from pathlib import Path

import orjson

from tests.node.asking import SERVICE, MetadataTestCase
from tests.node.case import address4, mac
from tests.node.inside import connects, inside, listen
from tests.node.lab import batch, run
from tests.node.os.test_cloud_init import PACKAGES, unpacked
from tests.noded.world import SERVER

_ASKER = Path(__file__).with_name("asker.py")


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
