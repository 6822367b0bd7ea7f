"""Commands and daemons: each leaves a log, and none is waited for without a limit."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from snf.allinone.failure import Failure

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path that commands get, whatever that of the caller is."""

_children: dict[int, subprocess.Popen[bytes]] = {}


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment that owes nothing to the caller's."""
    return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **extra}


def run(
    argv: Sequence[str],
    log: Path,
    what: str,
    *,
    timeout_s: float = 60,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    directory: Path = Path("/"),
) -> str:
    """
    Run a command to its end and return its standard output.

    What it was and all that it printed is added to ``log``.

    :raises Failure: It ended with an error or not in time; ``what`` begins the line.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment or clean_environment()),
            timeout=timeout_s,
            cwd=directory,
            errors="replace",
            text=True,
            **_as_user(user),
        )
    except FileNotFoundError:
        raise Failure(f"{what} failed: {argv[0]} is not installed", log) from None
    except subprocess.TimeoutExpired as late:
        _note(log, argv, _text(late.stdout))
        raise Failure(f"{what} did not end within {timeout_s:.0f} s", log) from None
    _note(log, argv, done.stdout)
    if done.returncode:
        raise Failure(f"{what} failed, exit code {done.returncode}", log)
    return done.stdout


def wait_for(
    ready: Callable[[], bool],
    what: str,
    timeout_s: float,
    *,
    log: Path | None = None,
    alive: Callable[[], bool] = lambda: True,
    pause_s: float = 0.1,
) -> None:
    """
    Wait until ``ready()`` holds.

    :raises Failure: It did not in time, or ``alive()`` ceased to hold.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not alive():
            raise Failure(f"{what} ended at once", log)
        if time.monotonic() > deadline:
            raise Failure(f"{what} is not ready after {timeout_s:.0f} s", log)
        time.sleep(pause_s)


@frozen
class Identity:
    """Which process it is.  A pid alone may belong to another one by now."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return that of a living process; None when there is none of this pid."""
        with suppress(KeyError, ChildProcessError):
            _children[pid].poll()  # our own dead children are reaped here
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            return None
        return cls(pid, int(stat[19]), _boot())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self


@frozen
class Daemon:
    """A process that outlives this one.

    It runs in a session of its own; its identity is kept in ``state_file``, so that
    it is found again, and never mistaken for another, by later runs.  One that was
    started with another ``version`` is replaced at the next start.
    """

    name: str
    argv: tuple[str, ...]
    state_file: Path
    log: Path
    environment: Mapping[str, str] = field(factory=clean_environment)
    user: str | None = None
    directory: Path = Path("/")
    version: str = ""

    def pid(self) -> int | None:
        """Return its pid; None when it does not run."""
        known = self._known()
        return known.pid if known and known.alive else None

    def start(self) -> bool:
        """Start it unless it runs as it should; return whether that was needed."""
        if self.pid() is not None and self._kept().get("version", "") == self.version:
            return False
        self.stop()  # also what outlived it, which would be in the way
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd=self.directory,
                start_new_session=True,
                **_as_user(self.user),
            )
        _children[child.pid] = child
        identity = Identity.of(child.pid)
        if identity is None:
            raise Failure(f"{self.name} ended at once", self.log)
        kept = asdict(identity) | {"version": self.version}
        self.state_file.write_text(json.dumps(kept))
        return True

    def stop(
        self, timeout_s: float = 10, first: signal.Signals = signal.SIGTERM
    ) -> bool:
        """Stop it and all of its session; return whether anything of it ran."""
        known = self._known()
        members = _session(known) if known else []
        if known and known.alive:
            stop_all([known.pid], timeout_s, first, send=_signal_group)
        stop_all(members, 0)
        self.state_file.unlink(missing_ok=True)
        return bool(members)

    def _known(self) -> Identity | None:
        kept = self._kept()
        try:
            return Identity(kept["pid"], kept["started"], kept["boot"])
        except KeyError:
            return None

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def stop_all(
    pids: Iterable[int],
    timeout_s: float,
    first: signal.Signals = signal.SIGTERM,
    send: Callable[[int, signal.Signals], None] | None = None,
) -> None:
    """Ask these processes to end, and end those that have not after ``timeout_s``."""
    deliver = send or os.kill
    left = [known for pid in pids if (known := Identity.of(pid))]
    for known in left:
        with suppress(ProcessLookupError):
            deliver(known.pid, first)
    deadline = time.monotonic() + timeout_s
    while (left := [known for known in left if known.alive]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    for known in left:
        with suppress(ProcessLookupError):
            deliver(known.pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    os.killpg(pid, number)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of proc_pid_stat(5) from the third on; None: no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _session(leader: Identity) -> list[int]:
    """Return the processes of a session, whose leader may have died.

    While there are any, the kernel gives the leader's number to no other process.
    """
    now = _stat(leader.pid)
    if leader.boot != _boot() or (now and int(now[19]) != leader.started):
        return []
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    stats = ((pid, _stat(pid)) for pid in pids)
    return [
        pid for pid, stat in stats if stat is not None and int(stat[3]) == leader.pid
    ]


def _boot() -> str:
    """Return which start of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _as_user(user: str | None) -> dict:
    if user is None:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _text(output: object) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else ""


def _note(log: Path, argv: Sequence[str], output: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n$ {' '.join(argv)}\n{output}")
