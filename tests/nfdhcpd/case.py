"""nfdhcpd as a process on a node of its own, with guests."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.nfdhcpd.guest import Reply, message
from tests.node.case import NodeTestCase, mac
from tests.node.inside import inside, sends, sniffer
from tests.node.lab import ROOT, ROUTER4, SUBNET4, Guest, run

LEASE = {
    "IP": "198.18.1.7",
    "SUBNET": SUBNET4,
    "GATEWAY": ROUTER4,
    "MTU": "1450",
    "NAMESERVERS": "198.18.1.53",
}
TOLD = (
    "ip=198.18.1.7",
    "mask=24",
    f"router={ROUTER4}",
    "dns=198.18.1.53",
    "mtu=1450",
    "hostname=snf-1",
    "lease=604800",
    "broadcast=198.18.1.255",
    "serverid=192.0.2.1",
)

_WAIT_S = 20.0

_NETWORKD = Path("/lib/systemd/systemd-networkd")

QUEUES = ROOT / "ganeti" / "network" / "nfdhcpd-queues"


class DaemonTestCase(NodeTestCase):
    """A node with rules that feed the queues, and a daemon that reads them."""

    def setUp(self) -> None:
        for tool in ("iptables", "udhcpc", "dhclient", "dhcpcd"):
            if shutil.which(tool) is None:
                raise SkipTest(f"{tool} is not installed: run ./cloud test")
        super().setUp()
        self.bindings = self.node.directory / "bindings"
        self.bindings.mkdir()
        self.base = self.node.directory
        self.base.chmod(0o755)  # nobody reads the bindings
        self.base.parent.chmod(0o755)
        self.log = self.base / "log"
        self.config = self.base / "nfdhcpd.toml"
        self.on_node(str(QUEUES), "up")

    def on_node(self, *argv: str) -> str:
        """Return what a command prints that runs on the node."""
        return run("ip", "netns", "exec", self.node.namespace, *argv)

    def in_guest(self, guest: Guest, *argv: str) -> str:
        """Return what a command prints that a guest runs."""
        return run("ip", "netns", "exec", guest.namespace, *argv)

    def configure(self, text: str = "") -> None:
        """Write the configuration."""
        self.config.write_text(
            f'[bindings]\ndirectory = "{self.bindings}"\n[metrics]\nport = 9467\n{text}'
        )

    def start(self, text: str = "") -> subprocess.Popen[bytes]:
        """Start the daemon, and return when it reads its queue."""
        self.configure(text)
        process = self.process()
        self.logged("reading queue", process=process)
        return process

    def process(self) -> subprocess.Popen[bytes]:
        """Start a daemon, without waiting for it."""
        argv = ["ip", "netns", "exec", self.node.namespace, sys.executable, "-c"]
        argv += ["from twisted.scripts.twistd import run; run()", "--nodaemon"]
        argv += ["--pidfile=", f"--logfile={self.log}", "nfdhcpd"]
        process = subprocess.Popen(
            [*argv, f"--config={self.config}"],
            cwd=self.base,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(self.stop, process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the daemon as its supervisor does."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def logged(
        self,
        text: str,
        times: int = 1,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        """Return when the log has a text so many times."""

        def there() -> bool:
            if process is not None:
                self.assertIsNone(process.poll(), self.text())
            return self.text().count(text) >= times

        self.until(there, f"{text!r} is not in the log")

    def text(self) -> str:
        """Return the log."""
        return self.log.read_text() if self.log.exists() else ""

    def until(self, true: Callable[[], bool], otherwise: str) -> None:
        """Return when a condition is true."""
        end = time.monotonic() + _WAIT_S
        while not true():
            if time.monotonic() > end:
                self.fail(f"{otherwise}\n{self.text()}")
            time.sleep(0.02)

    def bind(self, guest: Guest, **values: str) -> None:
        """Write a guest's binding as ifup does, and return when it is in force."""
        known = self.text().count(f"{guest.tap} (")
        values = {"MAC": guest.mac, "HOSTNAME": "snf-1", **values}
        write(self.bindings, guest.tap, values)
        self.logged(f"{guest.tap} (", known + 1)

    def metrics(self) -> str:
        """Return the daemon's metrics."""

        def fetched() -> str:
            from urllib.request import urlopen

            with urlopen("http://127.0.0.1:9467/metrics", timeout=10) as page:
                return page.read().decode()

        return inside(self.node.namespace, fetched)


class GuestsTestCase(DaemonTestCase):
    """A node with guests that know nothing yet."""

    def plain_guest(self, number: int = 1) -> Guest:
        """Return a guest whose tap is up."""
        guest = self.lab.guest(self.node, f"tap{number}", mac(number))
        self.node.ip(f"link set {guest.tap} address ee:ee:ee:ee:ee:ee up")
        return guest

    def routed_guest(self, number: int = 1, **values: str) -> Guest:
        """Return a guest on a routed tap, which has its binding."""
        guest = self.plain_guest(number)
        self.bind(guest, INDEV=guest.tap, **{**LEASE, **values})
        return guest

    def udhcpc(self, guest: Guest) -> list[str]:
        """Return what busybox's client hands to its script, a line a variable."""
        script = self.base / "script"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
        script.chmod(0o755)
        options = ("-O", "staticroutes", "-O", "mtu", "-f", "-n", "-q", "-t20", "-T1")
        said = self.in_guest(
            guest, "udhcpc", "-i", guest.device, *options, "-s", str(script)
        )
        return said.splitlines()

    def running(self, guest: Guest, *argv: str) -> subprocess.Popen[bytes]:
        """Return what a guest runs until the test ends."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", guest.namespace, *argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.stop, process)
        return process

    def networkd(
        self, guest: Guest, directory: Path, network: str
    ) -> subprocess.Popen[bytes]:
        """
        Have a guest run systemd's client, which finds neither udev nor a message bus.

        :param directory: What it has as ``/run/systemd``.
        :param network: How it is to set up the guest's device.
        """
        if not _NETWORKD.exists():
            raise SkipTest("systemd-networkd is not installed: run ./cloud test")
        folder = directory / "network"
        folder.mkdir(exist_ok=True)
        (folder / "eth0.network").write_text(f"[Match]\nName=eth0\n{network}")
        alone = (
            "mount -t tmpfs none /run && mkdir /run/systemd &&"
            f" mount --bind {directory} /run/systemd &&"
            ' mount -o remount,ro /sys && exec "$0"'
        )
        return self.running(guest, "sh", "-c", alone, str(_NETWORKD))

    def assert_told(self, guest: Guest, *lines: str) -> None:
        """The guest's client is told these, and what all are told."""
        said = self.udhcpc(guest)
        for line in (*TOLD, *lines):
            self.assertIn(line, said)

    def ask(self, guest: Guest, packet: bytes) -> Reply:
        """Return what answers a guest's packet."""
        raw = sniffer(guest.namespace, guest.device)
        self.addCleanup(raw.close)
        raw.settimeout(10)
        self.tell(guest, packet)
        while True:
            frame = raw.recv(2048)
            if frame[12:14] == b"\x08\0" and frame[34:38] == b"\0\x43\0\x44":
                return Reply(frame)

    def tell(self, guest: Guest, packet: bytes) -> None:
        """Send a packet of a guest's."""
        source = bytes.fromhex(guest.mac.replace(":", ""))
        frame = b"\xff" * 6 + source + b"\x08\0" + packet
        sends(guest.namespace, guest.device, frame)

    def discover(self, guest: Guest) -> bytes:
        """Return a guest's DISCOVER."""
        return message("discover", chaddr=bytes.fromhex(guest.mac.replace(":", "")))

    def waiting(self) -> list[int]:
        """Return how many packets have no verdict yet, of each queue."""
        text = self.on_node("cat", "/proc/net/netfilter/nfnetlink_queue")
        return [int(line.split()[2]) for line in text.splitlines()]


def write(directory: Path, name: str, values: dict[str, str]) -> None:
    """Write a binding, by rename."""
    new = directory / f".{name}.new"
    new.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    new.rename(directory / name)
