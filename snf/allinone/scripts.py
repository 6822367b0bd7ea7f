"""What of ours Ganeti runs on its nodes: OS definition, allocator, hooks, networks.

All nodes run the same copies, which machines see at Ganeti's own paths.  The program for
networks goes to a directory of Ganeti's, not to /usr/lib, and keeps what it keeps in
Ganeti's /run: so nothing is left on this machine, and it ends with the node's taps.
"""

from importlib.resources import files
from pathlib import Path

from attrs import frozen

from snf.allinone.files import write

CHECKOUT = Path(__file__).parents[2]
ALLOCATOR = "hail1"

_LIBRARY = "/usr/local/lib/ganeti"
QEMU = f"{_LIBRARY}/qemu"
"""What Ganeti takes for QEMU."""
QUEUES = f"{_LIBRARY}/network/nfdhcpd-queues"
"""What has the kernel put guests' questions into nfdhcpd's queues."""
BINDINGS = "/run/ganeti/nfdhcpd"
"""Where nodes say what nfdhcpd is to answer."""
ASKING = "/run/ganeti/snf-metadata"
"""Where nodes say whose a tap is that asks for metadata."""
REAPER = f"{_LIBRARY}/reaper"
"""What starts the daemon that starts guests."""

_ALLOCATOR_TEXT = """\
#!/bin/sh
# hail refuses a cluster of one node unless told that this is meant.
exec /usr/lib/ganeti/iallocators/hail --no-capacity-checks "$1"
"""

_NEWS = "snf-ganeti-hook.py"
_NEWS_OF = ("add", "start", "stop", "reboot", "modify", "remove")
_NETWORK = "snf-network-hook"
_NETWORK_AFTER = ("modify", "stop", "remove", "migrate", "failover")
_NETWORK_BEFORE = ("migrate",)
_IMAGE = "snf-image-hook"

_ENVIRONMENT = f"""\
export SNF_NETWORK={_LIBRARY}/network
export SNF_NETWORK_STATE=/run/ganeti/snf-network
export SNF_NETWORK_PROFILES=/etc/ganeti/snf-network/profiles
export SNF_NETWORK_BINDINGS={BINDINGS}
export SNF_NETWORK_METADATA={ASKING}
"""
_CALL = f"#!/bin/sh\n. {_LIBRARY}/network.env\nexec {{command}}\n"


@frozen
class Scripts:
    """The copies that all machines share; ``home`` is the first machine's directory."""

    home: Path

    def install(self) -> None:
        """Write those that are missing or of another version."""
        _same(
            CHECKOUT / "ganeti" / "os" / "cyclades",
            self.home / "srv" / "os" / "cyclades",
        )
        library = self.home / "local-lib"
        _written(library / "iallocators" / ALLOCATOR, _ALLOCATOR_TEXT)
        for name in (QEMU, REAPER):
            source = files("snf.allinone").joinpath("node", Path(name).name)
            _written(library / Path(name).name, source.read_text("utf-8"))
        news = (CHECKOUT / "ganeti" / "hooks" / _NEWS).read_text("utf-8")
        for event in _NEWS_OF:
            self._hook(f"{event}-post", "50-snf-ganeti-hook", news)
        image = (CHECKOUT / "ganeti" / "hooks" / _IMAGE).read_text("utf-8")
        self._hook("modify-pre", "70-snf-image", image)
        self._network(library)

    def _network(self, library: Path) -> None:
        source = CHECKOUT / "ganeti"
        _same(source / "network", library / "network")
        # Those that an operator has added stay.
        profiles = self.home / "etc" / "snf-network" / "profiles"
        _same(source / "network" / "profiles", profiles)
        hook = (source / "hooks" / _NETWORK).read_text("utf-8")
        _written(library / _NETWORK, hook)
        _written(library / "network.env", _ENVIRONMENT)
        program = '/usr/bin/python3 -I -S "$SNF_NETWORK" "$@"'
        _written(library / "snf-network", _CALL.format(command=program))
        vif_bridge = _CALL.format(command='"$SNF_NETWORK/kvm-vif-bridge"')
        _written(self.home / "etc" / "kvm-vif-bridge", vif_bridge)
        call = _CALL.format(command=f"{_LIBRARY}/{_NETWORK}")
        for event in _NETWORK_AFTER:
            self._hook(f"{event}-post", "60-snf-network", call)
        for event in _NETWORK_BEFORE:
            self._hook(f"{event}-pre", "60-snf-network", call)

    def _hook(self, event: str, name: str, text: str) -> None:
        # Names with a dot are not run as hooks.
        hooks = self.home / "etc" / "hooks"
        _written(hooks / f"instance-{event}.d" / name, text)


def _same(source: Path, target: Path) -> None:
    """Have the files of a directory in another one as well."""
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            mode = path.stat().st_mode & 0o777
            _written(target / path.relative_to(source), path.read_text("utf-8"), mode)


def _written(path: Path, text: str, mode: int = 0o755) -> None:
    """Have a file; whoever is about to run it sees the old or the new one."""
    if not path.exists() or path.read_text("utf-8") != text:
        write(path, text, mode)
