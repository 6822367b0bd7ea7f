"""A node as Ganeti sees it: a machine of its own, with its files and daemons."""

from contextlib import suppress
from pathlib import Path

from attrs import frozen

from snf.allinone.layout import Layout, Node
from snf.allinone.namespace import Namespace
from snf.allinone.process import Daemon, Identity, stop_all
from snf.allinone.scripts import REAPER

_DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
_ON_EVERY_NODE = ("noded", "confd")
_ON_THE_MASTER = ("wconfd", "rapi", "luxid")
OF_GUESTS = "noded"
"""What starts them, and waits for their end."""
IMAGES = "/srv/ganeti/images"
"""Where nodes see the data of images: the image service's own."""
CACHE = "/srv/ganeti/cache"
"""Where they keep what they had to fetch."""
DAEMONS = _ON_EVERY_NODE + _ON_THE_MASTER
"""In the order in which they are started; what else Ganeti has is not needed here."""


@frozen
class Machine:
    """One node's machine.

    Some files are those of the first one on all: names, keys, hooks, OS definitions
    and the storage that the nodes share.
    """

    layout: Layout
    node: Node

    @property
    def home(self) -> Path:
        """What it keeps."""
        return self.layout / f"ganeti{self.node.suffix}"

    @property
    def data(self) -> Path:
        """Ganeti's /var/lib/ganeti."""
        return self.home / "var-lib"

    @property
    def spool(self) -> Path:
        """Where the hook leaves its messages."""
        return self.home / "spool"

    @property
    def namespace(self) -> Namespace:
        """Where its processes are."""
        shared = self.layout / "ganeti"
        return Namespace(
            self.layout,
            self.node,
            {
                "/etc/hosts": shared / "hosts",
                "/etc/hostname": self.home / "hostname",
                "/etc/default/ganeti": self.home / "default-ganeti",
                "/etc/ganeti": shared / "etc",
                "/etc/ssh": shared / "ssh",
                "/root/.ssh": shared / "root-ssh",
                "/var/lib/ganeti": self.data,
                "/var/log/ganeti": self.home / "log",
                "/srv/ganeti": self.home / "srv",
                "/srv/ganeti/os": shared / "srv" / "os",
                "/srv/ganeti/shared-file-storage": shared / "srv/shared-file-storage",
                IMAGES: self.layout / "images",
                "/usr/local/lib/ganeti": shared / "local-lib",
                "/run/lock": self.home / "lock",
                "/var/spool/snf-eventd": self.spool,
            },
        )

    @property
    def is_master(self) -> bool:
        """Whether it takes itself for the master; the first does, before any is one."""
        with suppress(OSError):
            known = (self.data / "ssconf_master_node").read_text("utf-8")
            return known.strip() == self.node.name
        return self.node.is_first

    @property
    def daemons(self) -> tuple[str, ...]:
        """Which of Ganeti's daemons have to run."""
        return DAEMONS if self.is_master else _ON_EVERY_NODE

    def pid(self, name: str) -> int | None:
        """Return the pid of one of Ganeti's daemons; None when it does not run."""
        if self.namespace.holder.pid() is None:
            return None
        text = _digits(self.namespace.path(f"/run/ganeti/ganeti-{name}.pid"))
        pid = int(text) if text else None
        if pid is None or Identity.of(pid) is None or not self.namespace.holds(pid):
            return None
        return pid

    def start(self, name: str) -> None:
        """Start one of Ganeti's daemons."""
        # start-stop-daemon refuses to judge a pid file that another user left.
        self.namespace.path(f"/run/ganeti/ganeti-{name}.pid").unlink(missing_ok=True)
        command = [_DAEMON_UTIL, "start", f"ganeti-{name}"]
        if name == OF_GUESTS:
            command.insert(0, REAPER)
        self.namespace.run(f"Ganeti: starting {name}", command)

    def stop(self, name: str) -> None:
        """Stop one of Ganeti's daemons, if it runs."""
        pid = self.pid(name)
        stop_all([pid] if pid else [], 10)

    @property
    def sshd(self) -> Daemon:
        """By which one node sets up another.  It can be started in namespaces only."""
        name = f"sshd{self.node.suffix}"
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.home / "sshd_config")]
        inside = self.namespace.holder.pid() is not None
        return Daemon(
            name=name,
            argv=tuple(self.namespace.command(*command) if inside else ()),
            state_file=self.layout / "run" / f"{name}.json",
            log=self.layout / "log" / f"{name}.log",
        )

    def files(self) -> None:
        """Write what differs between nodes; what is there already stays."""
        for name in (
            *("var-lib/rapi", "log", "lock", "spool"),
            *("srv/os", "srv/file-storage", "srv/shared-file-storage", "srv/export"),
            *("srv/images", "srv/cache"),
        ):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        (self.layout / "images").mkdir(mode=0o750, exist_ok=True)
        settings = self.home / "default-ganeti"
        wanted = _default_ganeti(str(self.node.address))
        if settings.exists() and settings.read_text() != wanted:
            # Of a version that had the remote API listen elsewhere.
            self.stop("rapi")
        for name, text in (
            ("hostname", f"{self.node.name}\n"),
            (settings.name, wanted),
            ("sshd_config", _sshd_config(str(self.node.address))),
        ):
            # In place: what is mounted is this very file, not its name.
            (self.home / name).write_text(text)

    def down(self) -> bool:
        """Stop guests and daemons; return whether any ran."""
        if self.namespace.holder.pid() is not None:
            guests = self.namespace.path("/run/ganeti/kvm-hypervisor/pid")
            pids = [int(text) for path in _files_of(guests) if (text := _digits(path))]
            stop_all([pid for pid in pids if self.namespace.holds(pid)], 3)
        return self.namespace.down()


def _default_ganeti(address: str) -> str:
    """Return /etc/default/ganeti: daemons listen on the node's address alone.

    The remote API also does on the cluster's, which a machine has while it is master.
    """
    return (
        f'NODED_ARGS="-b {address}"\n'
        'RAPI_ARGS="-b 0.0.0.0 --require-authentication"\n'
        f'CONFD_ARGS="-b {address}"\n'
        f'MOND_ARGS="-b {address}"\n'
        'WCONFD_ARGS=""\nLUXID_ARGS=""\nKVMD_ARGS=""\n'
    )


def _sshd_config(address: str) -> str:
    """Return what lets root in with the key that the nodes share, and nobody else."""
    return (
        f"ListenAddress {address}\n"
        "HostKey /etc/ssh/ssh_host_rsa_key\n"
        "PermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        "PidFile none\n"
    )


def _files_of(directory: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in directory.iterdir() if path.is_file()]
    return []


def _digits(path: Path) -> str:
    with suppress(OSError):
        text = path.read_text().strip()
        return text if text.isdigit() else ""
    return ""
