"""The DHCP servers of ``bench.dhcp``, each as a process of its own in a namespace."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.node.lab import ROOT, batch, run

SERVER = "10.99.0.2"
CLIENT = "10.99.0.1"
_POOL = ("10.99.128.0", "10.99.250.255")
_START_S = 20.0


def mac_of(number: int) -> str:
    """Return a guest's MAC address."""
    return f"aa:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def address_of(number: int) -> str:
    """Return the address that a guest is to have."""
    return f"10.99.{1 + number // 250}.{1 + number % 250}"


@frozen
class Place:
    """Two namespaces with a link between ``perf0`` and ``tap0``, and a directory."""

    client: str
    server: str
    directory: Path

    @property
    def bindings(self) -> Path:
        """The directory of nfdhcpd's bindings."""
        return self.directory / "bindings"

    @property
    def log(self) -> Path:
        """Where nfdhcpd logs."""
        return self.directory / "twistd.log"

    def open(self, taps: int) -> None:
        """Make the namespaces, and further taps that nobody uses."""
        for namespace in (self.client, self.server):
            run("ip", "netns", "add", namespace)
            batch(namespace, "link set lo up")
        batch(
            self.server,
            f"link add tap0 type veth peer name perf0 netns {self.client}",
            f"addr add {SERVER}/16 dev tap0",
            "link set tap0 up",
            *(
                f"link add tap{number} type veth peer name tap{number + 1}"
                for number in range(1, taps, 2)
            ),
        )
        batch(
            self.client,
            f"addr add {CLIENT}/16 dev perf0",
            "link set perf0 up",
            # Answers come from addresses elsewhere.
            f"route add default via {SERVER}",
        )

    def close(self) -> None:
        """Remove all of it."""
        for namespace in (self.client, self.server):
            run("ip", "netns", "del", namespace, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def queue(self, opened: bool) -> None:
        """Have DHCP put into nfdhcpd's queue, or left to servers with sockets."""
        table = ("ip", "netns", "exec", self.server, "iptables", "-t", "mangle")
        run(*table, "-F", "PREROUTING")
        if opened:
            rule = "-A PREROUTING -i tap+ -p udp --dport 67 -j NFQUEUE --queue-num 42"
            run(*table, *rule.split())


@frozen
class Running:
    """A server that runs."""

    pid: int

    def cpu_s(self) -> float:
        """Return how long its threads have run, in seconds."""
        spent = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def rss_mb(self) -> float:
        """Return the memory that it has, shared libraries included."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) / 1000


@frozen
class Server:
    """
    A kind of server.

    :ivar argv: What starts it with so many bindings, after it has written its files.
    """

    name: str
    argv: Callable[[Place, int], list[str]]
    queued: bool = False

    @contextmanager
    def running(
        self, place: Place, bindings: int, answering: bool = True
    ) -> Iterator[Running]:
        """Have it run for as long as this is entered, and from when it answers."""
        place.queue(self.queued)
        command = self.argv(place, bindings)
        with (place.directory / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", place.server, *command],
                cwd=place.directory,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "KEA_PIDFILE_DIR": str(place.directory),
                    "KEA_LOCKFILE_DIR": str(place.directory),
                },
                stdout=log,
                stderr=log,
            )
        try:
            if answering:
                self._wait(place, process)
            yield Running(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, place: Place, process: subprocess.Popen[bytes]) -> None:
        """Return when the server answers."""
        end = time.monotonic() + _START_S
        ask = ["-4", "-l", "perf0", "-r", "50", "-R", "1", "-n", "2", "-W", "50000"]
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            argv = ["ip", "netns", "exec", place.client, "perfdhcp", *ask, SERVER]
            if "received packets: 2" in run(*argv, check=False):
                return
        log = (place.directory / f"{self.name}.log").read_text()
        raise SystemExit(f"{self.name} does not answer:\n{log}")


def _nfdhcpd(place: Place, bindings: int) -> list[str]:
    config, folder = place.directory / "nfdhcpd.toml", place.bindings
    place.log.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(bindings):
        write_binding(folder, number, address_of(number))
    config.write_text(
        f'[process]\nuser = "root"\n[bindings]\ndirectory = "{folder}"\n', "utf-8"
    )
    argv = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
    argv += ["--nodaemon", "--pidfile=", f"--logfile={place.log}"]
    return [*argv, "nfdhcpd", f"--config={config}"]


def write_binding(folder: Path, number: int, address: str) -> None:
    """Write a binding of both families, as ``snf-network`` does."""
    new = folder / f".tap{number}.new"
    new.write_text(
        f"INDEV=tap{number}\nMAC={mac_of(number)}\nHOSTNAME=snf-{number}\n"
        f"IP={address}\nSUBNET=10.99.0.0/16\nGATEWAY={SERVER}\n"
        f"NAMESERVERS={SERVER}\nMTU=1450\nSUBNET6=2001:db8:1::/64\n"
        "GATEWAY6=2001:db8:1::fffe\nNAMESERVERS6=2001:db8::53\n"
        # The load comes from many MAC addresses.
        f"MACSPOOF={'yes' if number == 0 else 'no'}\n",
        "utf-8",
    )
    new.rename(folder / f"tap{number}")


def _kea(place: Place, bindings: int) -> list[str]:
    leases = place.directory / "kea.leases"
    leases.unlink(missing_ok=True)
    subnet = {
        "subnet": "10.99.0.0/16",
        "pools": [{"pool": "-".join(_POOL)}],
        "option-data": [
            {"name": "routers", "data": SERVER},
            {"name": "domain-name-servers", "data": SERVER},
            {"name": "interface-mtu", "data": "1450"},
        ],
        "reservations": [
            {
                "hw-address": mac_of(number),
                "ip-address": address_of(number),
                "hostname": f"snf-{number}",
            }
            for number in range(bindings)
        ],
    }
    whole = {
        "interfaces-config": {"interfaces": ["tap0"], "dhcp-socket-type": "udp"},
        "lease-database": {
            "type": "memfile",
            "persist": True,
            "name": str(leases),
            "lfc-interval": 0,
        },
        "multi-threading": {"enable-multi-threading": True},
        "valid-lifetime": 604_800,
        "subnet4": [subnet],
        "loggers": [
            {
                "name": "kea-dhcp4",
                "severity": "ERROR",
                "output_options": [{"output": "stderr"}],
            }
        ],
    }
    config = place.directory / "kea.json"
    config.write_text(json.dumps({"Dhcp4": whole}), "utf-8")
    return ["kea-dhcp4", "-c", str(config)]


def _dnsmasq(place: Place, bindings: int) -> list[str]:
    hosts, leases = place.directory / "hosts", place.directory / "dnsmasq.leases"
    leases.unlink(missing_ok=True)
    hosts.write_text(
        "".join(
            f"{mac_of(number)},{address_of(number)},snf-{number}\n"
            for number in range(bindings)
        ),
        "utf-8",
    )
    argv = ["dnsmasq", "-k", "-C", "/dev/null", "--user=root", "-p0", "--pid-file"]
    argv += ["-i", "tap0", "--bind-interfaces", "--dhcp-authoritative", "--no-ping"]
    argv += [f"--dhcp-range={_POOL[0]},{_POOL[1]},255.255.0.0,7d", "--quiet-dhcp"]
    argv += ["--dhcp-lease-max=100000", f"--dhcp-hostsfile={hosts}"]
    argv += [f"--log-facility={place.directory}/dnsmasq.log"]
    return [*argv, f"--dhcp-leasefile={leases}", "--dhcp-option=26,1450"]


def _no_file(place: Place, bindings: int) -> list[str]:
    return [*_dnsmasq(place, bindings), "--leasefile-ro"]


NFDHCPD = Server("nfdhcpd", _nfdhcpd, queued=True)
KEA = Server("Kea", _kea)
DNSMASQ = Server("dnsmasq", _dnsmasq)
NO_FILE = Server("dnsmasq without a file", _no_file)
