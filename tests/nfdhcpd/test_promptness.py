"""How the kernel is asked to schedule the daemon."""

import json
import os
import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.node.lab import ROOT

# sched_getattr(2): what a process has then, in a process of its own.
_CODE = """
import ctypes, json, os, struct
from snf.nfdhcpd.promptness import be_prompt
{before}
done = be_prompt()
attributes = ctypes.create_string_buffer(56)
number = {{"x86_64": 315, "aarch64": 275}}[os.uname().machine]
assert not ctypes.CDLL(None).syscall(number, 0, attributes, 56, 0)
_, policy, _, nice, _, slice_ns, *_ = struct.unpack("=IIQiI3Q2I", attributes.raw)
print(json.dumps([done, policy, nice, slice_ns]))
"""


class PromptTests(SynchronousTestCase):
    """What becomes of a process that is to be prompt."""

    def after(self, before: str) -> list[int]:
        """Return whether it was done; policy, niceness, and slice in nanoseconds."""
        done = subprocess.run(
            [sys.executable, "-c", _CODE.format(before=before)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    def test_slice(self) -> None:
        """It has the shortest slice, where the kernel knows such, and is as nice as before."""
        release = re.match(r"(\d+)\.(\d+)", os.uname().release)
        assert release is not None
        known = tuple(map(int, release.groups())) >= (6, 12)
        done, policy, nice, slice_ns = self.after("os.nice(3)")
        self.assertEqual((True, os.SCHED_OTHER, 3), (done, policy, nice))
        if known:
            self.assertEqual(100_000, slice_ns)

    def test_other_policy(self) -> None:
        """One that somebody has put into another class stays in that."""
        done, policy, _, _ = self.after(
            "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
        )
        self.assertEqual((False, os.SCHED_BATCH), (done, policy))
