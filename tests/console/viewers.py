"""Viewers that others wrote, run as users run them: at a terminal."""

import contextlib
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

_LONGEST_S = 60
# Of RFB's ports the first; gvnccapture counts from there.
_FIRST = 5900


def vncdo(
    folder: Path,
    port: int,
    password: str,
    *does: str,
    longest_s: float = _LONGEST_S,
) -> "Deferred[int]":
    """Have vncdotool do something in a folder; return with what it ended."""
    program = Path(sys.executable).with_name("vncdo")
    if not program.exists():
        raise SkipTest("vncdotool is not installed: pip install vncdotool")
    where = ["-s", f"127.0.0.1::{port}", "-p", password]
    command = [str(program), *where, *does]
    return deferToThread(_run, folder, command, "", longest_s)


def gvnccapture(
    folder: Path, port: int, password: str, picture: str
) -> "Deferred[int]":
    """Have gvnccapture take a picture; return with what it ended."""
    program = shutil.which("gvnccapture")
    if program is None:
        raise SkipTest("gvnccapture is not installed: apt-get install gvncviewer")
    command = [program, f"127.0.0.1:{port - _FIRST}", picture]
    return deferToThread(_run, folder, command, f"{password}\n", _LONGEST_S)


def _run(folder: Path, command: list[str], typed: str, longest_s: float) -> int:
    """Run a program at a terminal, where something is typed until it ends."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=its,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = monotonic() + longest_s
        while process.poll() is None:
            if monotonic() > deadline:
                raise AssertionError(f"{command[0]} does not end")
            # What was typed before it asked, it has thrown away.
            os.write(ours, typed.encode())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
        return process.returncode
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(its)
