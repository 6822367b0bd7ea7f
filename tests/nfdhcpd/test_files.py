"""Binding files that come, change and go, and who is answered then."""

import signal
from pathlib import Path

from tests.nfdhcpd.case import LEASE, GuestsTestCase, write
from tests.node.lab import ROUTER4


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
            lambda: 'kind="dhcp",outcome="unknown"} 1\n' in self.metrics(),
            "nothing was counted",
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

        def unknown() -> bool:
            # What is sent before the new link is up is lost.
            self.tell(guest, self.discover(guest))
            return 'kind="dhcp",outcome="unknown"}' in self.metrics()

        self.until(unknown, "nothing was counted")
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
