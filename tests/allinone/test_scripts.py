"""What of ours Ganeti runs on the nodes of an all-in-one."""

import os
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.scripts import CHECKOUT, Scripts

NODE = CHECKOUT / "snf" / "allinone" / "node"
NETWORK = CHECKOUT / "ganeti" / "network"


class InstallTests(SynchronousTestCase):
    """``Scripts.install``."""

    def setUp(self):
        self.home = Path(self.mktemp())
        self.scripts = Scripts(self.home)
        self.scripts.install()

    def test_executable(self):
        """What Ganeti runs is executable, and no hook's name has a dot."""
        hooks = list((self.home / "etc" / "hooks").glob("*/*"))
        self.assertTrue(hooks)
        library = self.home / "local-lib"
        for path in (
            *hooks,
            self.home / "etc" / "kvm-vif-bridge",
            self.home / "srv" / "os" / "cyclades" / "create",
            library / "iallocators" / "hail1",
            *(library / name for name in ("qemu", "reaper", "snf-network")),
            library / "network" / "kvm-vif-bridge",
            library / "network" / "nfdhcpd-queues",
        ):
            self.assertTrue(os.access(path, os.X_OK), path)
        self.assertEqual([], [path for path in hooks if "." in path.name])

    def test_again(self):
        """What is there is not touched; what is of another version is replaced."""
        own = self.home / "etc" / "snf-network" / "profiles" / "web.nft"
        own.write_text("tcp dport 80 accept\n")
        stale = self.home / "local-lib" / "network" / "nic.py"
        stale.write_text("of before\n")
        kept = self.home / "local-lib" / "network" / "node.py"
        before = kept.stat().st_ino
        self.scripts.install()
        self.assertEqual(before, kept.stat().st_ino)
        self.assertEqual((NETWORK / "nic.py").read_text(), stale.read_text())
        self.assertTrue(own.exists())


class QemuTests(SynchronousTestCase):
    """``qemu``: what guests are told."""

    PUBLIC = {
        "INTERFACE": "tap0",
        "MAC": "aa:00:00:00:00:05",
        "MODE": "routed",
        "LINK": "200",
        "IP": "198.18.20.5",
    }
    NETWORK = {
        "NETWORK_SUBNET": "198.18.20.0/24",
        "NETWORK_GATEWAY": "198.18.20.1",
        "NETWORK_SUBNET6": "fd12:3456:789a:14::/64",
        "NETWORK_GATEWAY6": "fd12:3456:789a:14::1",
    }

    def setUp(self):
        before = list(sys.path), set(sys.modules)
        self.addCleanup(self.forget, *before)
        sys.path.insert(0, str(NETWORK))
        loader = SourceFileLoader("qemu", str(NODE / "qemu"))
        spec = spec_from_loader("qemu", loader)
        assert spec is not None
        self.qemu = module_from_spec(spec)
        loader.exec_module(self.qemu)

    def forget(self, path: list[str], modules: set[str]) -> None:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            del sys.modules[name]

    def word(self, environment: dict[str, str]) -> str:
        return self.qemu.word(sys.modules["nic"].Nic(environment))

    def test_routed(self):
        """Its IPv6 neighbors are behind the node; IPv4 ones the node answers for."""
        self.assertEqual(
            "nic=aa:00:00:00:00:05,,198.18.20.5/24,198.18.20.1,"
            "fd12:3456:789a:14:a800:ff:fe00:5/128,fe80::1,",
            self.word({**self.PUBLIC, **self.NETWORK}),
        )

    def test_answered(self):
        """Where nfdhcpd answers, the guest is to ask before it takes what it is told."""
        tags = {"NETWORK_TAGS": "ip-less-routed public nfdhcpd"}
        word = self.word({**self.PUBLIC, **self.NETWORK, **tags})
        self.assertTrue(word.endswith("/128,fe80::1,dhcp"), word)
        tags["NETWORK_TAGS"] += " snf:no-dhcp:4"
        word = self.word({**self.PUBLIC, **self.NETWORK, **tags})
        self.assertTrue(word.endswith("/128,fe80::1,ra"), word)

    def test_without_network(self):
        """Where Ganeti knows no network, everybody is asked for on the link."""
        self.assertEqual(
            "nic=aa:00:00:00:00:05,,198.18.20.5/32,link,,,", self.word(self.PUBLIC)
        )

    def test_private(self):
        """On a bridge its neighbors are its own; it may be told of small packets."""
        private = {
            **self.PUBLIC,
            "MODE": "bridged",
            "NETWORK_SUBNET": "10.99.0.0/24",
            "IP": "10.99.0.5",
            "NETWORK_TAGS": "vxlan vni:5 snf:mtu:1450",
        }
        self.assertEqual(
            "nic=aa:00:00:00:00:05,1450,10.99.0.5/24,,,,", self.word(private)
        )

    def test_no_address(self):
        """A NIC may have none."""
        bare = {**self.PUBLIC, "MODE": "bridged", "IP": ""}
        self.assertEqual("nic=aa:00:00:00:00:05,,,,,,", self.word(bare))

    MBR = b"\xeb\x63".ljust(446, b"\x90") + b"\x80".ljust(64, b"\0") + b"\x55\xaa"
    KERNEL = (
        "-kernel",
        "/boot/vmlinuz",
        "-initrd",
        "/boot/initrd",
        "-append",
        "ro quiet",
    )

    def disk(self, content: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def test_boots(self):
        """A disk with a boot loader can be booted; a blank one, and a file system, not."""
        self.assertTrue(self.qemu.boots(self.disk(self.MBR + bytes(512))))
        fat = b"\xeb\x3c\x90CYCLADES".ljust(446) + b"text".ljust(64) + b"\x55\xaa"
        table_only = bytes(446) + self.MBR[446:]
        for other in (b"", bytes(1024), self.MBR[:-1], fat, table_only):
            self.assertFalse(self.qemu.boots(self.disk(other)), other[:8])
        self.assertFalse(self.qemu.boots(None))
        self.assertFalse(self.qemu.boots("/nonexistent"))

    def test_first_disk(self):
        """It is found in each of the ways in which Ganeti names it; CDs are not it."""
        iso = "file=/srv/x.iso,format=raw,if=none,id=drive-cd,media=cdrom"
        for drive in (
            "file=/run/d:0,format=raw,if=none,aio=threads,id=hotdisk-1",
            "driver=raw,node-name=d,file.driver=file,file.filename=/run/d:0",
        ):
            arguments = ["-m", "128", "-drive", iso, "-drive", drive, "file=/run/d:1"]
            self.assertEqual("/run/d:0", self.qemu.first_disk(arguments))
        self.assertIsNone(self.qemu.first_disk(["-m", "128", *self.KERNEL]))

    def test_without_kernel(self):
        """What belongs to the cluster's kernel goes, and nothing else."""
        rest = ["-m", "128", "-boot", "c"]
        arguments = [*rest[:2], *self.KERNEL, *rest[2:]]
        self.assertEqual(rest, self.qemu.without_kernel(arguments))
        self.assertEqual(rest, self.qemu.without_kernel(rest))


class ReaperTests(SynchronousTestCase):
    """``reaper``."""

    def run_(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ["/usr/bin/python3", "-IS", str(NODE / "reaper")]
        return subprocess.run(
            [*command, "/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def test_outcome(self):
        """It ends as the command did, and passes on what that said."""
        done = self.run_("echo said; exit 3")
        self.assertEqual((3, "said\n"), (done.returncode, done.stdout))

    def test_buries(self):
        """What the command leaves behind is buried as soon as it ends."""
        done = self.run_("sleep 60 >/dev/null 2>&1 & echo $!")
        left = int(done.stdout)
        status = Path(f"/proc/{left}/status")
        parent = status.read_text().partition("PPid:")[2].split()[0]
        self.assertIn("reaper", Path(f"/proc/{parent}/cmdline").read_text())
        os.kill(left, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while status.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(status.exists())
