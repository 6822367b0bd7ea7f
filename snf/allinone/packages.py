"""Debian packages: installs what is missing, and lets nothing of it start.

The machine is not ours: what packages would set running (PostgreSQL's first cluster,
RabbitMQ, an SSH server that Ganeti depends on) stays off.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from snf.allinone.failure import Failure
from snf.allinone.process import clean_environment, run
from snf.allinone.progress import Progress

SERVICES = ("postgresql", "rabbitmq-server")
CLUSTER = (
    *("ganeti", "qemu-system-x86", "qemu-utils", "openssl", "e2fsprogs"),
    *("iproute2", "nftables", "iptables"),
)

# Clients that others wrote, and what reads what is made here: for `./cloud test` only.
# The Python ones are what cloud-init needs, which itself is not installed: it would run.
TESTS = (
    *("isc-dhcp-client", "udhcpc", "dhcpcd-base", "systemd", "tshark"),
    *("fdisk", "mtools", "dosfstools"),
    *("python3-configobj", "python3-jinja2", "python3-jsonpatch"),
    *("python3-jsonschema", "python3-netifaces", "python3-oauthlib"),
    *("python3-requests", "python3-serial", "python3-yaml"),
    *("openssh-client", "jq", "chromium", "gvncviewer"),
)

_DPKG_LOCK = Path("/var/lib/dpkg/lock")
_OTHER_APT_S = 20

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = (
    "#!/bin/sh\n# Put here by cyclades while it installs packages.\nexit 101\n"
)
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/cyclades.conf")


def install(names: Sequence[str], log: Path, progress: Progress) -> None:
    """
    Install those of the packages that are missing.

    :raises Failure: There is no apt, or it fails.
    """
    if not missing(names):
        return
    if shutil.which("apt-get") is None:
        raise Failure("this machine has no apt-get: try ./cloud demo instead")
    with _alone():
        wanted = missing(names)
        if not wanted:
            return
        progress.say("packages", f"installing {', '.join(wanted)}")
        before = _installed()
        with _nothing_starts():
            _install(wanted, log)
        _keep_off(_installed() - before, log)
    progress.say("packages", "installed")


def missing(names: Sequence[str]) -> list[str]:
    """Return those of the packages that are not installed."""
    there = _installed()
    return [name for name in names if name not in there]


def _installed() -> set[str]:
    try:
        listed = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except FileNotFoundError:
        return set()
    pairs = (line.split() for line in listed.splitlines())
    return {pair[0] for pair in pairs if pair[1:] == ["installed"]}


def _install(wanted: Sequence[str], log: Path) -> None:
    with suppress(Failure):
        _apt("install", *wanted, log=log)
        return
    _configure(log)
    try:
        _apt("update", log=log)  # package lists absent or stale
    except Failure:
        # A machine that has just started looks for updates of its own, and apt-get
        # does not wait for its lists.
        time.sleep(_OTHER_APT_S)
        _apt("update", log=log)
    _apt("install", *wanted, log=log)


def _configure(log: Path) -> None:
    """Finish what an interrupted dpkg left half done: apt-get refuses to go on."""
    environment = clean_environment(DEBIAN_FRONTEND="noninteractive")
    command = ["dpkg", "--force-confold", "--configure", "-a"]
    with suppress(Failure):  # apt-get says it better
        run(command, log, "dpkg", timeout_s=300, environment=environment)


@contextmanager
def _alone() -> Iterator[None]:
    """Let no other all-in-one install packages meanwhile."""
    directory = os.open("/var/lib/dpkg", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _apt(command: str, *names: str, log: Path) -> None:
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
    if command == "install":
        # Recommends would bring the Xen hypervisor and drbd.
        options += ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    proxies = {
        name: value for name, value in os.environ.items() if name.endswith("_proxy")
    }
    run(
        ["apt-get", *options, command, *names],
        log,
        f"apt-get {command}",
        timeout_s=900,
        environment=clean_environment(DEBIAN_FRONTEND="noninteractive", **proxies),
    )


@contextmanager
def _nothing_starts() -> Iterator[None]:
    ours = not _POLICY.exists() or _POLICY.read_text() == _POLICY_TEXT
    if ours:
        _POLICY.write_text(_POLICY_TEXT)
        _POLICY.chmod(0o755)
    had_directory = _NO_CLUSTER.parent.is_dir()
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        _wait_for_dpkg()
        _NO_CLUSTER.unlink(missing_ok=True)
        if not had_directory:
            shutil.rmtree(_NO_CLUSTER.parent, ignore_errors=True)
        if ours:
            _POLICY.unlink(missing_ok=True)


def _wait_for_dpkg(timeout_s: float = 300) -> None:
    """Wait until no dpkg works: one goes on after its apt-get has been interrupted."""
    deadline = time.monotonic() + timeout_s
    with _DPKG_LOCK.open("a") as lock:
        while time.monotonic() < deadline:
            with suppress(BlockingIOError, PermissionError):
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.2)


def _keep_off(packages: set[str], log: Path) -> None:
    """Keep new packages' services from starting with the machine, where systemd runs."""
    if not packages or not Path("/run/systemd/system").is_dir():
        return
    listed = run(["dpkg", "-L", *sorted(packages)], log, "listing packages")
    units = sorted(
        Path(line).name
        for line in listed.splitlines()
        if "/systemd/system/" in line
        and line.endswith((".service", ".socket", ".timer"))
        and "@" not in line
    )
    for unit in units:
        subprocess.run(["systemctl", "-q", "disable", unit], capture_output=True)
