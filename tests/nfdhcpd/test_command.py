"""The command ``nfdhcpd``, as the original's is used."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.nfdhcpd.case import GuestsTestCase
from tests.node.lab import ROOT, SUBNET4


class CommandTests(GuestsTestCase):
    """The command ``nfdhcpd``, with the original's options and configuration."""

    def call(
        self, *arguments: str, by: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run it on the node; ``by`` is the command that is to run it, if any."""
        argv = ["ip", "netns", "exec", self.node.namespace, *by, sys.executable, "-c"]
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
        """Started by somebody who may not do what it needs, it says so and ends."""
        self.configure()
        for lacking, said in (
            ("net_admin", "needs CAP_NET_ADMIN and CAP_NET_RAW"),
            ("net_raw", "needs CAP_NET_ADMIN and CAP_NET_RAW"),
            ("setuid", "cannot become nobody: Operation not permitted"),
        ):
            # As root, since this checkout may be closed to others.
            done = self.call(
                *("-f", "-c", str(self.config)),
                by=("setpriv", f"--bounding-set=-{lacking}", "--inh-caps=-all"),
            )
            self.assertEqual(1, done.returncode)
            self.assertIn(f"nfdhcpd: {said}", done.stdout + done.stderr)
            self.assertNotIn("Traceback", done.stdout + done.stderr)
