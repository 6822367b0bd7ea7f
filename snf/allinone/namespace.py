"""The namespaces in which a Ganeti node believes to be alone on a machine of its own.

Network, host name and mounts are private: Ganeti's files, ``/etc/hosts`` and root's SSH
directory are bind mounts from the state directory.  A sleeping process holds them.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from attrs import frozen

from snf.allinone.failure import Failure
from snf.allinone.files import write
from snf.allinone.layout import Layout, Node
from snf.allinone.process import Daemon, clean_environment, run, stop_all, wait_for

BRIDGE = "gnt0"
_UPLINK = "uplink"
_LAST_METRIC = "4278198272"
"""A metric that any real route beats."""

_CAP_NET_ADMIN = 12
"""capabilities(7), linux/capability.h."""

_HOLDER = """\
set -e
# state, target: mount a private directory or file over a path, without leaving an
# empty mount point behind on the machine.
over() {{
    if [ ! -e "$2" ]; then
        parent=$(dirname "$2")
        mkdir -p "$parent"
        case {state}/ in
            "$parent"/*) ;;
            *) mount -t tmpfs -o mode=0755 tmpfs "$parent" ;;
        esac
        mkdir -p "$2"
    fi
    mount --bind "$1" "$2"
}}
hostname {host}
{mounts}
# Where systemd is seen to run, Ganeti would have it start the daemons, outside.
[ ! -d /run/systemd ] || mount -t tmpfs -o mode=0755 tmpfs /run/systemd
mkdir -p /run/ganeti
mount -t tmpfs -o mode=0755 tmpfs /run/ganeti
: >{ready}
exec sleep infinity
"""


@frozen
class Namespace:
    """One node's namespaces.

    ``mounts`` maps a path inside to what is seen there, a path of the host.

    Each has a bridge, for the node and its guests.  That of the first node is connected
    to the host, those of others to the first one's: one network, which also carries
    what nodes send each other.
    """

    layout: Layout
    node: Node
    mounts: Mapping[str, Path]

    @property
    def holder(self) -> Daemon:
        """The process that keeps the namespaces."""
        run, name = self.layout / "run", f"holder{self.node.suffix}"
        inside = ["unshare", "--uts", "--mount", "--propagation", "private"]
        return Daemon(
            name="namespaces",
            argv=(
                *("ip", "netns", "exec", self.node.namespace),
                *inside,
                *("sh", str(run / f"{name}.sh")),
            ),
            state_file=run / f"{name}.json",
            log=self.layout / "log" / f"{name}.log",
        )

    def up(self) -> bool:
        """
        Have the namespaces, connected; the first node's must be there already.

        :raises Failure: The kernel refuses.
        """
        holder = self.holder
        if holder.pid() is not None:
            self._connect()
            return False
        self.down()  # remains of a crash
        self._network()
        self._connect()
        ready = holder.state_file.with_suffix(".ready")
        ready.unlink(missing_ok=True)
        mounts = "\n".join(
            f"over {shlex.quote(str(source))} {shlex.quote(target)}"
            for target, source in self.mounts.items()
        )
        script = _HOLDER.format(
            state=shlex.quote(str(self.layout.state)),
            host=self.node.name,
            mounts=mounts,
            ready=shlex.quote(str(ready)),
        )
        write(holder.state_file.with_suffix(".sh"), script)
        holder.start()
        wait_for(
            ready.exists,
            "the namespaces",
            10,
            log=holder.log,
            alive=lambda: holder.pid() is not None,
            pause_s=0.02,
        )
        return True

    def down(self) -> bool:
        """End all that runs inside, and the namespaces; return whether any did."""
        ran = self.pids()
        stop_all(ran, 8)
        stop_all(self.pids(), 2)  # what was started meanwhile
        self.holder.state_file.unlink(missing_ok=True)
        if self.node.is_first:
            _try("ip", "link", "del", self.node.instance.host_link)
        _try("ip", "netns", "del", self.node.namespace)
        return bool(ran)

    def forget(self) -> None:
        """Remove the last trace: the route that keeps packets from leaving."""
        unreachable = ("unreachable", str(self.node.instance.network))
        _try("ip", "route", "del", *unreachable, "metric", _LAST_METRIC)

    def claim(self, address: IPv4Address) -> None:
        """Have one more address, as Ganeti's master-ip-setup gives it to a master."""
        label = ("dev", BRIDGE, "label", f"{BRIDGE}:0")
        self._ip("-n", self.node.namespace, "addr", "replace", f"{address}/32", *label)

    def command(self, *argv: str) -> list[str]:
        """
        Return a command that runs another one inside.

        :raises Failure: The namespaces are down.
        """
        pid = self.holder.pid()
        if pid is None:
            raise Failure("the cluster's namespaces are down: ./cloud up")
        entered = ["nsenter", "-t", str(pid), "--net", "--uts", "--mount"]
        entered += ["--root", "--wd=/"]  # its root, which may be a chroot of ours
        return [*entered, "--", *argv]

    def run(self, what: str, argv: Sequence[str], timeout_s: float = 60) -> str:
        """
        Run a command inside, with a clean environment; return what it printed.

        :raises Failure: It failed.
        """
        return run(self.command(*argv), self.layout.log, what, timeout_s=timeout_s)

    def path(self, inside: str) -> Path:
        """Return the host's path to a file inside, also one on a private mount."""
        return Path(f"/proc/{self.holder.pid()}/root{inside}")

    def pids(self) -> list[int]:
        """Return the processes inside."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.node.namespace],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(pid) for pid in listed.stdout.split()]

    def holds(self, pid: int) -> bool:
        """Return whether a process is one of those inside."""
        holder = self.holder.pid()
        with suppress(OSError):
            return os.readlink(f"/proc/{pid}/ns/net") == os.readlink(
                f"/proc/{holder}/ns/net"
            )
        return False

    def _network(self) -> None:
        """Make the network namespace and its bridge."""
        name, bits = self.node.namespace, self.node.instance.network.prefixlen
        self._ip("netns", "add", name)
        inside = ("-n", name)
        self._ip(*inside, "link", "set", "lo", "up")
        self._ip(*inside, "link", "add", BRIDGE, "type", "bridge")
        self._ip(*inside, "addr", "add", f"{self.node.address}/{bits}", "dev", BRIDGE)
        self._ip(*inside, "link", "set", BRIDGE, "up")

    def _connect(self) -> None:
        """Connect the bridge; a connection is gone once either end is."""
        inside = ("-n", self.node.namespace)
        if f" {_UPLINK}@" in self._ip(*inside, "link", "show", "master", BRIDGE):
            return
        if self.node.is_first:
            self._connect_host()
        else:
            self._connect_first()
        # Last, for by this it is known to be complete.
        self._ip(*inside, "link", "set", _UPLINK, "up", "master", BRIDGE)

    def _connect_host(self) -> None:
        instance = self.node.instance
        link, unreachable = instance.host_link, ("unreachable", str(instance.network))
        address = f"{instance.host_address}/{instance.network.prefixlen}"
        # While all is down, what is addressed to it must not leave the machine.
        self._ip("route", "replace", *unreachable, "metric", _LAST_METRIC)
        _try("ip", "link", "del", link)
        self._ip("link", "add", link, *self._peer)
        self._ip("addr", "add", address, "dev", link)
        self._ip("link", "set", link, "up")

    def _connect_first(self) -> None:
        first, link = self.node.instance.nodes[0].namespace, self.node.short_name
        _try("ip", "-n", first, "link", "del", link)
        self._ip("link", "add", link, "netns", first, *self._peer)
        self._ip("-n", first, "link", "set", link, "up", "master", BRIDGE)

    @property
    def _peer(self) -> tuple[str, ...]:
        """What makes a link one of a pair whose other end is inside."""
        return ("type", "veth", "peer", _UPLINK, "netns", self.node.namespace)

    def _ip(self, *words: str) -> str:
        what = "setting up the namespaces"
        return run(["ip", *words], self.layout.log, what, timeout_s=10)


def _try(*command: str) -> bool:
    """Return whether a command succeeds; it may well not."""
    return not subprocess.run(command, capture_output=True, check=False).returncode


def refused() -> bool:
    """Return whether the kernel refuses this process namespaces of its own."""
    tried = subprocess.run(
        ["unshare", "--net", "--uts", "--mount", "true"],
        capture_output=True,
        env=clean_environment(),
        check=False,
    )
    return tried.returncode != 0


def may_change_networks() -> bool:
    """Return whether this process has CAP_NET_ADMIN, which some containers' root lacks."""
    status = Path("/proc/self/status").read_text()
    effective = status.partition("CapEff:")[2].split()[0]
    return bool(int(effective, 16) >> _CAP_NET_ADMIN & 1)
