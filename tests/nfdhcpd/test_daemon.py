"""nfdhcpd as a process: real queues, real taps, clients that others wrote."""

import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

from snf.nfdhcpd.privileges import NET_ADMIN, NET_RAW
from tests.nfdhcpd.case import DaemonTestCase, write
from tests.nfdhcpd.guest import Reply, message
from tests.node.case import mac
from tests.node.inside import sends, sniffer
from tests.node.lab import ROOT, ROUTER4, SUBNET4, Guest

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


class ClientsTests(GuestsTestCase):
    """What clients get on a routed tap, and on a port of a bridge."""

    def test_udhcpc(self) -> None:
        """Busybox's client gets the address, the router, the MTU and the rest."""
        self.start()
        guest = self.routed_guest(ROUTES="10.1.0.0/16@198.18.1.9")
        routes = f"10.1.0.0/16 198.18.1.9 0.0.0.0/0 {ROUTER4}"
        self.assert_told(guest, f"staticroutes={routes}")

    def test_bridged(self) -> None:
        """So it does on a bridge, and its neighbor hears nothing of what it asked."""
        self.bridge("prv1")
        guests = [self.plain_guest(1), self.plain_guest(2)]
        for guest in guests:
            self.node.ip(f"link set {guest.tap} master prv1")
        self.start()
        self.bind(guests[0], INDEV="prv1", **LEASE)
        raw = sniffer(guests[1].namespace, guests[1].device)
        self.addCleanup(raw.close)
        self.assert_told(guests[0])
        raw.settimeout(0.5)
        heard = []
        try:
            while True:
                heard.append(raw.recv(2048))
        except TimeoutError:
            pass
        self.assertEqual([], [frame for frame in heard if frame[23:24] == b"\x11"])

    def test_dhclient(self) -> None:
        """ISC's client gets a lease, and one that moved here is told its new address."""
        self.start()
        guest = self.routed_guest()
        leases = self.base / "leases"
        self.dhclient(guest, leases)
        first = leases.read_text()
        self.assertIn("fixed-address 198.18.1.7;", first)
        self.assertIn("option dhcp-lease-time 604800;", first)
        # What it has is asked for again (init-reboot), and refused.
        self.bind(guest, INDEV=guest.tap, **{**LEASE, "IP": "198.18.1.8"})
        self.dhclient(guest, leases)
        last = leases.read_text().rpartition("lease {")[2]
        self.assertIn("fixed-address 198.18.1.8;", last)
        counted = self.metrics()
        self.assertIn('{kind="dhcp",outcome="nak"} 1\n', counted)

    def dhclient(self, guest: Guest, leases: Path) -> None:
        """Run ISC's client until it has a lease."""
        config = self.base / "dhclient.conf"
        config.write_text("timeout 15;\nrequest subnet-mask, routers;\n")
        argv = ["dhclient", "-4", "-sf", "/bin/true", "-lf", str(leases)]
        argv += ["-pf", str(self.base / "pid"), "-cf", str(config)]
        # It goes on in the background once it has one.
        self.in_guest(guest, *argv, "-1", "-q", guest.device)
        self.in_guest(guest, *argv, "-x", guest.device)

    def test_renewing(self) -> None:
        """A guest that has its address asks the server alone, by its router."""
        self.start()
        guest = self.routed_guest()
        own = bytes.fromhex(guest.mac.replace(":", ""))
        packet = message(
            "request",
            source="198.18.1.7",
            target="192.0.2.1",
            ciaddr="198.18.1.7",
            chaddr=own,
        )
        raw = sniffer(guest.namespace, guest.device)
        self.addCleanup(raw.close)
        raw.settimeout(10)
        frame = bytes.fromhex("eeeeeeeeeeee") + own + b"\x08\0" + packet
        sends(guest.namespace, guest.device, frame)
        while (got := raw.recv(2048))[34:38] != b"\0\x43\0\x44":
            pass
        self.assertEqual(5, Reply(got).options["message-type"])


class BindingsTests(GuestsTestCase):
    """Files that come, change and go."""

    def test_before_the_start(self) -> None:
        """Files that are there are followed; one that makes no sense stops no other."""
        guest, other = self.plain_guest(1), self.plain_guest(2)
        write(self.bindings, "tap2", {"MAC": other.mac, "HOSTNAME": "x", "MTU": "z"})
        write(self.bindings, "tap9", {"MAC": other.mac, "HOSTNAME": "of-no-tap"})
        write(
            self.bindings,
            "tap1",
            {"MAC": guest.mac, "HOSTNAME": "snf-1", "INDEV": "tap1", **LEASE},
        )
        self.start()
        self.assert_told(guest)
        self.logged(f"{self.bindings}/tap2: line 3: MTU: 'z' is not a number")
        self.assertIn("nfdhcpd_bindings 1\n", self.metrics())
        self.assertIn("nfdhcpd_binding_errors 1\n", self.metrics())

    def test_older_dialect(self) -> None:
        """Subnet and router are those of the routing table that it names."""
        self.start()
        guest = self.plain_guest()
        self.bind(guest, IP="198.18.1.7 198.18.1.8", LINK="200")
        said = self.udhcpc(guest)
        for line in ("ip=198.18.1.7", "mask=24", f"router={ROUTER4}"):
            self.assertIn(line, said)

    def test_written_in_place(self) -> None:
        """A file that is not renamed into place is followed when it is closed."""
        self.start()
        guest = self.plain_guest()
        text = f"MAC={guest.mac}\nHOSTNAME=snf-1\nIP=198.18.1.9\n"
        (self.bindings / guest.tap).write_text(text)
        self.logged("tap1 (")
        self.assertEqual(
            "198.18.1.9", self.ask(guest, self.discover(guest)).boot.yiaddr
        )

    def test_gone(self) -> None:
        """A guest whose file is gone is not answered: what it asks goes on its way."""
        self.start()
        guest = self.routed_guest()
        (self.bindings / guest.tap).unlink()
        self.logged("tap1 is nobody's any more")
        self.tell(guest, self.discover(guest))
        self.until(
            lambda: 'outcome="unknown"} 1\n' in self.metrics(), "nothing was counted"
        )
        self.assertIn("nfdhcpd_bindings 0\n", self.metrics())

    def test_name_again(self) -> None:
        """A new tap with an old one's name is not its guest, until its file says so."""
        self.start()
        guest = self.routed_guest()
        self.ask(guest, self.discover(guest))
        self.lab.unplug(guest, self.node)
        self.lab.plug(guest, self.node)
        self.node.ip("link set tap1 address ee:ee:ee:ee:ee:ee up")
        self.tell(guest, self.discover(guest))
        self.until(
            lambda: 'outcome="unknown"} 1\n' in self.metrics(), "nothing was counted"
        )
        self.bind(guest, INDEV=guest.tap, **{**LEASE, "IP": "198.18.1.9"})
        self.assertEqual(
            "198.18.1.9", self.ask(guest, self.discover(guest)).boot.yiaddr
        )

    def test_overflow(self) -> None:
        """After more changes than the kernel keeps, the whole directory is read anew."""
        process = self.start()
        guest, gone = self.routed_guest(1), self.routed_guest(2, IP="198.18.1.8")
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        process.send_signal(signal.SIGSTOP)
        first, second = self.bindings / ".a", self.bindings / ".b"
        first.touch()
        for _ in range(limit // 2 + 1):  # each is two events
            first.rename(second)
            first, second = second, first
        (self.bindings / gone.tap).unlink()
        values = {"MAC": guest.mac, "HOSTNAME": "snf-1", **LEASE, "IP": "198.18.1.9"}
        write(self.bindings, guest.tap, values)
        process.send_signal(signal.SIGCONT)
        self.logged("the kernel dropped changes")
        self.logged("tap1 (", 2)
        self.logged("tap2 is nobody's any more")
        self.assertEqual(
            "198.18.1.9", self.ask(guest, self.discover(guest)).boot.yiaddr
        )
        self.assertIn("nfdhcpd_rescans_total 2\n", self.metrics())

    def test_directory_moved(self) -> None:
        """A directory that is not there is waited for, and followed when it comes."""
        aside = self.base / "aside"
        self.start()
        guest = self.routed_guest()
        self.bindings.rename(aside)
        self.logged("cannot be watched")
        aside.rename(self.bindings)
        self.logged("is there")
        self.assert_told(guest)

    def test_down_and_up(self) -> None:
        """A tap that was down meanwhile is answered again."""
        self.start()
        guest = self.routed_guest()
        self.ask(guest, self.discover(guest))
        self.node.ip("link set tap1 down", "link set tap1 up")
        self.ask(guest, self.discover(guest))


class DaemonTests(GuestsTestCase):
    """The process itself."""

    def test_privileges(self) -> None:
        """It is nobody, with two capabilities, and can get no others."""
        process = self.start()
        self.routed_guest()
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        )
        kept = f"{1 << NET_ADMIN | 1 << NET_RAW:016x}"
        self.assertEqual((kept, kept), (status["CapEff"], status["CapPrm"]))
        self.assertEqual(kept, status["CapBnd"])
        self.assertEqual(["0" * 16] * 2, [status["CapInh"], status["CapAmb"]])
        self.assertEqual(["65534"] * 4, status["Uid"].split())
        self.assertEqual(["65534"] * 4, status["Gid"].split())
        self.assertEqual(("", "1"), (status["Groups"].strip(), status["NoNewPrivs"]))

    def test_signals(self) -> None:
        """SIGUSR1 logs guests; SIGHUP reads the configuration, if it is valid."""
        process = self.start()
        guest = self.routed_guest()
        self.assert_told(guest)
        process.send_signal(signal.SIGUSR1)
        self.logged("1 guests are answered")
        self.logged("on tap1: snf-1, aa:00:00:00:00:01, 198.18.1.7")
        self.configure("[dhcp]\nlease_s = 59\n")
        process.send_signal(signal.SIGHUP)
        self.logged("the configuration stays: ")
        self.configure("[dhcp]\nlease_s = 7200\n[queues]\ndhcp = 99\n")
        process.send_signal(signal.SIGHUP)
        self.logged("needs a restart")
        self.logged("the configuration was read again")
        self.until(
            lambda: "lease=7200" in self.udhcpc(guest), "the lease is the old one"
        )
        self.assertIsNone(process.poll())

    def test_ends(self) -> None:
        """SIGTERM ends it, without a complaint."""
        process = self.start()
        self.routed_guest()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, process.wait(20))
        self.assertNotIn("Traceback", self.text())

    def test_malformed(self) -> None:
        """Whatever is in a packet, it has its verdict, and the next is answered."""
        self.start()
        guest = self.routed_guest()
        whole = self.discover(guest)
        for packet in (
            whole[:40],
            whole[:28],
            whole + bytes(1000),
            bytes(whole[:20]) + struct.pack(">4H", 68, 67, 8, 0),
            whole[:2] + b"\xff\xff" + whole[4:],
        ):
            self.tell(guest, packet)
        self.assertEqual("198.18.1.7", self.ask(guest, whole).boot.yiaddr)
        self.assertEqual([0], self.waiting())
        self.assertNotIn("Traceback", self.text())

    def test_textfile(self) -> None:
        """The counters are in the file for the node exporter, too."""
        directory = self.base / "textfiles"
        directory.mkdir()
        directory.chmod(0o777)
        self.start(f'textfile = "{directory}/nfdhcpd.prom"\ntextfile_s = 1\n')
        self.routed_guest()
        file = directory / "nfdhcpd.prom"
        self.until(
            lambda: file.exists() and "nfdhcpd_bindings 1\n" in file.read_text(),
            "nothing was written",
        )

    def test_queue_taken(self) -> None:
        """Where somebody else reads the queue, it waits for it."""
        first = self.start()
        self.log = self.base / "log2"
        self.process()
        self.logged("queue 42 cannot be read")
        self.stop(first)
        self.logged("reading queue 42")
        self.assert_told(self.routed_guest())


class CommandTests(GuestsTestCase):
    """The command ``nfdhcpd``, with the original's options and configuration."""

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it on the node."""
        argv = ["ip", "netns", "exec", self.node.namespace, sys.executable, "-c"]
        argv += ["from snf.tap.nfdhcpd import main; main()", *arguments]
        return subprocess.run(
            argv,
            cwd=self.base,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_original(self) -> None:
        """It goes into the background, and answers as the file of the original says."""
        conf = self.base / "nfdhcpd.conf"
        conf.write_text(
            f"""
            [general]
            pidfile = {self.base}/run/nfdhcpd.pid
            datapath = {self.bindings} # where bindings are
            logdir = {self.base}/logs
            user = nobody
            [dhcp]
            enable_dhcp = yes
            lease_lifetime = 1200
            lease_renewal = 600
            server_ip = 192.0.2.7
            dhcp_queue = 42
            nameservers = 192.0.2.53, 192.0.2.54
            [ipv6]
            enable_ipv6 = no
            """.replace("\n            ", "\n")
        )
        done = self.call("-c", str(conf))
        self.assertEqual(0, done.returncode, done.stderr)
        pidfile = self.base / "run" / "nfdhcpd.pid"
        self.log = self.base / "logs" / "nfdhcpd.log"
        self.until(pidfile.exists, "there is no pidfile")
        number = int(pidfile.read_text())
        self.addCleanup(self.end, number)
        self.logged("reading queue 42")
        guest = self.plain_guest()
        self.bind(guest, INDEV=guest.tap, IP="198.18.1.7", SUBNET=SUBNET4)
        said = self.udhcpc(guest)
        for line in (
            "ip=198.18.1.7",
            "lease=1200",
            "serverid=192.0.2.7",
            "dns=192.0.2.53 192.0.2.54",
        ):
            self.assertIn(line, said)

    def end(self, number: int) -> None:
        """End a process that is nobody's child."""
        os.kill(number, signal.SIGTERM)
        self.until(lambda: not Path(f"/proc/{number}").exists(), "it does not end")

    def test_check(self) -> None:
        """A valid file is said to be so; another one gives the reason, and 1."""
        self.configure()
        done = self.call("--check", "-c", str(self.config))
        self.assertEqual((0, f"{self.config}: valid\n"), (done.returncode, done.stdout))
        self.configure("[dhcp]\nlease_s = 1\n")
        done = self.call("--check", "-c", str(self.config))
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertEqual(
            f"nfdhcpd: {self.config}: dhcp: lease_s: must be from 60 to 4294967295\n",
            done.stderr,
        )

    def test_without_capabilities(self) -> None:
        """Started by somebody who may not read queues, it says so and ends."""
        self.configure()
        # This checkout may be closed to others; only the capabilities are taken.
        argv = ["ip", "netns", "exec", self.node.namespace]
        argv += ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"]
        argv += [sys.executable, "-c", "from snf.tap.nfdhcpd import main; main()"]
        done = subprocess.run(
            [*argv, "-f", "-c", str(self.config)],
            cwd=self.base,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertNotEqual(0, done.returncode)
        self.assertIn("needs CAP_NET_ADMIN and CAP_NET_RAW", done.stdout + done.stderr)


class FloodTests(GuestsTestCase):
    """One guest that floods, and another one."""

    def test_other(self) -> None:
        """Everybody else is answered meanwhile; what is too much does not reach queues."""
        self.start()
        # As snf-network sets them up, which writes their bindings, too.
        flooder, other = self.routed(1), self.routed(2)
        for tap in ("tap1", "tap2"):
            self.logged(f"{tap} (")
        with self.flood(flooder):
            for _ in range(20):
                reply = self.ask(other, self.discover(other))
                self.assertEqual("198.18.1.2", reply.boot.yiaddr)
        self.until(lambda: self.waiting() == [0], "packets have no verdict")
        dropped = re.findall(r"67, 547.*packets (\d+)", self.rules_of("netdev", "snf"))
        self.assertTrue(any(int(count) for count in dropped))

    def test_without_limits(self) -> None:
        """Where nothing keeps the flood from the queue, nfdhcpd passes over most of it."""
        self.start()
        flooder = self.routed_guest(1)
        other = self.routed_guest(2, IP="198.18.1.8")
        with self.flood(flooder):
            # Clients ask again when they hear nothing.
            said = self.udhcpc(other)
        self.assertIn("ip=198.18.1.8", said)
        self.until(lambda: self.waiting() == [0], "packets have no verdict")
        found = re.search(r'kind="dhcp",outcome="flood"} (\S+)', self.metrics())
        assert found is not None
        self.assertTrue(float(found[1]) > 0)

    def flood(self, guest: Guest) -> "_Flood":
        """Return what asks for a guest as fast as it can, as long as it is entered."""
        source = bytes.fromhex(guest.mac.replace(":", ""))
        frame = b"\xff" * 6 + source + b"\x08\0" + self.discover(guest)
        return _Flood(guest, frame)


class _Flood:
    """Sends a frame from a guest as fast as it can, in a process of its own."""

    def __init__(self, guest: Guest, frame: bytes) -> None:
        self.guest = guest
        self.frame = frame

    def __enter__(self) -> None:
        code = (
            "import socket, sys\n"
            "raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
            "raw.bind((sys.argv[1], 0))\n"
            "frame = bytes.fromhex(sys.argv[2])\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    try:\n"
            "        raw.send(frame)\n"
            "    except OSError:\n"
            "        pass\n"
        )
        argv = ["ip", "netns", "exec", self.guest.namespace, sys.executable, "-c", code]
        self.process = subprocess.Popen(
            [*argv, self.guest.device, self.frame.hex()], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
