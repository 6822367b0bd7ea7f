"""nfdhcpd as a process: real queues, real taps, clients that others wrote."""

import re
import signal
import struct
from pathlib import Path

from snf.privileges import NET_ADMIN, NET_RAW
from tests.nfdhcpd.case import LEASE, GuestsTestCase
from tests.nfdhcpd.flood import Flood
from tests.nfdhcpd.guest import Reply, message
from tests.node.inside import sends, sniffer
from tests.node.lab import ROUTER4, Guest


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
        self.assertEqual([0] * 4, self.waiting())
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


class FloodTests(GuestsTestCase):
    """One guest that floods, and another one."""

    def test_other(self) -> None:
        """Everybody else is answered meanwhile; what is too much does not reach queues."""
        self.start()
        # As snf-network sets them up, which writes their bindings, too.
        flooder, other = self.routed(1), self.routed(2)
        for tap in ("tap1", "tap2"):
            self.logged(f"{tap} (")
        with Flood(flooder.namespace, flooder.device, self.frame(flooder)):
            for _ in range(20):
                reply = self.ask(other, self.discover(other))
                self.assertEqual("198.18.1.2", reply.boot.yiaddr)
        self.until(lambda: self.waiting() == [0] * 4, "packets have no verdict")
        dropped = re.findall(r"67, 547.*packets (\d+)", self.rules_of("netdev", "snf"))
        self.assertTrue(any(int(count) for count in dropped))

    def test_without_limits(self) -> None:
        """Where nothing keeps the flood from the queue, nfdhcpd passes over most of it."""
        self.start()
        flooder = self.routed_guest(1)
        other = self.routed_guest(2, IP="198.18.1.8")
        with Flood(flooder.namespace, flooder.device, self.frame(flooder)):
            # Clients ask again when they hear nothing, and are started again when they
            # give up.
            told = any(self.is_told(other, "ip=198.18.1.8") for _ in range(6))
        self.assertTrue(told, self.text())
        self.until(lambda: self.waiting() == [0] * 4, "packets have no verdict")
        found = re.search(r'kind="dhcp",outcome="flood"} (\S+)', self.metrics())
        assert found is not None
        self.assertTrue(float(found[1]) > 0)

    def is_told(self, guest: Guest, line: str) -> bool:
        """Return whether a guest's client is told something before it gives up."""
        try:
            return line in self.udhcpc(guest)
        except AssertionError:
            return False

    def frame(self, guest: Guest) -> bytes:
        """Return what the guest floods with."""
        source = bytes.fromhex(guest.mac.replace(":", ""))
        return b"\xff" * 6 + source + b"\x08\0" + self.discover(guest)
