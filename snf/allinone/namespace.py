"""The namespaces in which a Ganeti node believes to be alone on a machine of its own.

Network, host name and mounts are private: Ganeti's files, ``/etc/hosts`` and root's SSH
directory are bind mounts from the state directory.  A sleeping process holds them.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from attrs import frozen

from snf.allinone.bridge import BRIDGE, Bridge
from snf.allinone.failure import Failure
from snf.allinone.files import write
from snf.allinone.layout import Layout, Node
from snf.allinone.process import Daemon, clean_environment, run, stop_all, wait_for
from snf.allinone.scripts import CHECKOUT

_CAP_NET_ADMIN = 12
"""capabilities(7), linux/capability.h."""

_OVER = """\
# source, target: mount a private directory or file over a path, without leaving an
# empty mount point behind on the machine, unless what is needed inside lies beside it.
over() {{
    if [ ! -e "$2" ]; then
        parent=$(dirname "$2")
        mkdir -p "$parent"
        hides=
        for needed in {needed}; do
            case $needed/ in "$parent"/*) hides=yes ;; esac
        done
        [ "$hides" ] || mount -t tmpfs -o mode=0755 tmpfs "$parent"
        mkdir -p "$2"
    fi
    mount --bind "$1" "$2"
}}
"""

_HOLDER = """\
set -e
hostname {host}
{mounts}
# Where systemd is seen to run, Ganeti would have it start the daemons, outside.
[ ! -d /run/systemd ] || mount -t tmpfs -o mode=0755 tmpfs /run/systemd
mkdir -p /run/ganeti
mount -t tmpfs -o mode=0755 tmpfs /run/ganeti
: >{ready}
exec sleep infinity
"""


def mounting(mounts: Mapping[str, Path], needed: Iterable[Path]) -> str:
    """
    Return the shell commands that mount private files and directories.

    :param mounts: Where each is seen, and what is seen there.
    :param needed: Directories that must be seen as they are outside.
    """
    kept = " ".join(shlex.quote(str(path)) for path in needed)
    lines = [
        f"over {shlex.quote(str(source))} {shlex.quote(target)}\n"
        for target, source in mounts.items()
    ]
    return _OVER.format(needed=kept) + "".join(lines)


@frozen
class Namespace:
    """One node's namespaces.

    ``mounts`` maps a path inside to what is seen there, a path of the host.
    The bridge is for the node and its guests.
    """

    layout: Layout
    node: Node
    mounts: Mapping[str, Path]

    @property
    def bridge(self) -> Bridge:
        """What is in the network namespace."""
        return Bridge(self.node.namespace, self.layout.log)

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
        Have the namespaces; return whether that was needed.

        :raises Failure: The kernel refuses.
        """
        holder = self.holder
        if holder.pid() is not None:
            return False
        self.down()  # remains of a crash
        bits = self.node.instance.network.prefixlen
        self.bridge.make()
        self._address(f"{self.node.address}/{bits}")
        ready = holder.state_file.with_suffix(".ready")
        ready.unlink(missing_ok=True)
        needed = (self.layout.state, CHECKOUT, Path(sys.prefix))
        script = _HOLDER.format(
            host=self.node.name,
            mounts=mounting(self.mounts, needed),
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
        self.bridge.remove()
        return bool(ran)

    def claim(self, address: IPv4Address) -> None:
        """Have one more address, as Ganeti's master-ip-setup gives it to a master."""
        self._address(f"{address}/32", "label", f"{BRIDGE}:0")

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

    def _address(self, address: str, *more: str) -> None:
        self.bridge.ip("addr", "replace", address, "dev", BRIDGE, *more)


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
