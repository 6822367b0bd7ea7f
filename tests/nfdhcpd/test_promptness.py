"""How the kernel is asked to schedule the daemon."""

import ctypes
import os
import re
import struct
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.nfdhcpd.case import GuestsTestCase
from tests.node.lab import ROOT

_CODE = """
import os
from snf.nfdhcpd.promptness import be_prompt
{before}
print(be_prompt(), flush=True)
input()
"""
_NUMBER = {"x86_64": 315, "aarch64": 275}
_SIZE = 56


def scheduled(pid: int) -> tuple[int, int, int]:
    """Return a process's policy, niceness, and slice in nanoseconds: sched_getattr(2)."""
    found = ctypes.create_string_buffer(_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_NUMBER[os.uname().machine], pid, found, _SIZE, 0):
        raise OSError(ctypes.get_errno(), "sched_getattr")
    _, policy, _, nice, _, slice_ns, *_ = struct.unpack("=IIQiI3Q2I", found.raw)
    return policy, nice, slice_ns


def shortest() -> int:
    """Return the shortest slice; what this process has, where the kernel knows one only."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    assert release is not None
    known = tuple(map(int, release.groups())) >= (6, 12)
    return 100_000 if known else scheduled(os.getpid())[2]


class PromptTests(SynchronousTestCase):
    """What becomes of a process that is to be prompt."""

    def after(self, before: str) -> tuple[str, tuple[int, int, int]]:
        """Return what was said to it, and how it is scheduled."""
        process = subprocess.Popen(
            [sys.executable, "-c", _CODE.format(before=before)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            found = scheduled(process.pid)
            process.communicate("\n", timeout=60)
        return said, found

    def test_slice(self) -> None:
        """It has the shortest slice, and is as nice as before."""
        expected = ("True", (os.SCHED_OTHER, 3, shortest()))
        self.assertEqual(expected, self.after("os.nice(3)"))

    def test_other_policy(self) -> None:
        """One that somebody has put into another class stays in that."""
        batch = "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
        said, (policy, _, _) = self.after(batch)
        self.assertEqual(("False", os.SCHED_BATCH), (said, policy))


class DaemonTests(GuestsTestCase):
    """The daemon."""

    def test_prompt(self) -> None:
        """It is so, without a privilege that it would have to keep."""
        process = self.start()
        self.assertEqual(shortest(), scheduled(process.pid)[2])
