"""Commands and daemons."""

import json
import os
import sys
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.failure import Failure
from snf.allinone.process import Daemon, Identity, run, wait_for


class RunTests(SynchronousTestCase):
    """``run``."""

    def setUp(self):
        self.log = Path(self.mktemp()) / "up.log"

    def test_output(self):
        """What a command prints is returned and logged."""
        self.assertEqual("hello\n", run(["echo", "hello"], self.log, "greeting"))
        self.assertIn("$ echo hello\nhello\n", self.log.read_text())

    def test_error(self):
        """An error names what was tried and the log."""
        with self.assertRaises(Failure) as caught:
            run(["sh", "-c", "echo why; exit 3"], self.log, "trying")
        self.assertEqual(
            f"trying failed, exit code 3 (log: {self.log})", str(caught.exception)
        )
        self.assertIn("why", self.log.read_text())

    def test_too_long(self):
        """A command that does not end is ended."""
        with self.assertRaises(Failure) as caught:
            run(["sleep", "60"], self.log, "sleeping", timeout_s=0.1)
        self.assertIn("did not end", str(caught.exception))

    def test_not_installed(self):
        """A program that is not there is named."""
        with self.assertRaises(Failure) as caught:
            run(["no-such-program"], self.log, "trying")
        self.assertIn("no-such-program is not installed", str(caught.exception))


class DaemonTests(SynchronousTestCase):
    """``Daemon``: processes that are found again."""

    def setUp(self):
        directory = Path(self.mktemp())
        self.daemon = Daemon(
            name="sleeper",
            argv=(sys.executable, "-c", "import time; time.sleep(60)"),
            state_file=directory / "sleeper.json",
            log=directory / "sleeper.log",
        )
        self.addCleanup(self.daemon.stop)

    def test_start_and_stop(self):
        """It runs from start to stop, and a second start does nothing."""
        self.assertIsNone(self.daemon.pid())
        self.assertTrue(self.daemon.start())
        pid = self.daemon.pid()
        self.assertFalse(self.daemon.start())
        self.assertEqual(pid, self.daemon.pid())
        self.assertTrue(self.daemon.stop())
        self.assertIsNone(self.daemon.pid())
        self.assertFalse(self.daemon.stop())

    def test_killed(self):
        """One that was killed is known not to run, and starts again."""
        self.daemon.start()
        pid = self.daemon.pid()
        assert pid is not None
        os.kill(pid, 9)
        wait_for(lambda: self.daemon.pid() is None, "its end", 10)
        self.assertTrue(self.daemon.start())

    def test_other_version(self):
        """One of another version is replaced; one of the same is left alone."""
        self.daemon.start()
        pid = self.daemon.pid()
        self.assertTrue(evolve(self.daemon, version="2").start())
        self.assertNotEqual(pid, self.daemon.pid())
        self.assertFalse(evolve(self.daemon, version="2").start())

    def test_outlived(self):
        """What a killed daemon leaves behind ends before it starts again."""
        script = "import os, time; print(os.fork(), flush=True); time.sleep(60)"
        daemon = evolve(self.daemon, argv=(sys.executable, "-c", script))
        daemon.start()
        wait_for(lambda: daemon.log.read_text().count("\n") == 2, "its child", 10)
        pid = daemon.pid()
        assert pid is not None
        [child] = {int(line) for line in daemon.log.read_text().split()} - {0}
        os.kill(pid, 9)
        wait_for(lambda: daemon.pid() is None, "its end", 10)
        self.assertIsNotNone(Identity.of(child))
        daemon.start()
        wait_for(lambda: Identity.of(child) is None, "its child's end", 10)

    def test_pid_of_another(self):
        """A process that got the same pid since is not taken for it, nor stopped."""
        self.daemon.start()
        identity = json.loads(self.daemon.state_file.read_text())
        self.daemon.stop()
        leader = evolve(self.daemon, state_file=self.daemon.log.with_name("leader"))
        leader.start()
        self.addCleanup(leader.stop)
        for pid in (os.getpid(), leader.pid()):
            text = json.dumps(identity | {"pid": pid})
            self.daemon.state_file.write_text(text)
            self.assertIsNone(self.daemon.pid())
            self.assertFalse(self.daemon.stop())
            self.assertIsNotNone(leader.pid())

    def test_reboot(self):
        """Nothing of before the machine's last start runs."""
        self.daemon.start()
        identity = json.loads(self.daemon.state_file.read_text())
        changed = json.dumps(identity | {"boot": "another"})
        self.daemon.state_file.write_text(changed)
        self.assertIsNone(self.daemon.pid())
        self.daemon.state_file.write_text(json.dumps(identity))

    def test_garbage(self):
        """A state file that makes no sense names no process."""
        self.daemon.state_file.parent.mkdir()
        for text in ("", "{}", "[1]", '{"pid": 1}'):
            self.daemon.state_file.write_text(text)
            self.assertIsNone(self.daemon.pid())


class IdentityTests(SynchronousTestCase):
    """``Identity``."""

    def test_self(self):
        """This process is alive, and itself."""
        identity = Identity.of(os.getpid())
        assert identity is not None
        self.assertTrue(identity.alive)

    def test_nobody(self):
        """There is no process 0 to be found."""
        self.assertIsNone(Identity.of(0))


class WaitTests(SynchronousTestCase):
    """``wait_for``."""

    def test_never(self):
        """What does not come in time is named."""
        with self.assertRaises(Failure) as caught:
            wait_for(lambda: False, "the end", 0.0, pause_s=0)
        self.assertIn("the end is not ready", str(caught.exception))

    def test_died(self):
        """What died meanwhile is not waited for."""
        with self.assertRaises(Failure) as caught:
            wait_for(lambda: False, "it", 60, alive=lambda: False)
        self.assertIn("ended at once", str(caught.exception))
