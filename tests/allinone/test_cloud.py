"""What is refused before anything is made."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.cloud import check_state
from snf.allinone.failure import Failure
from snf.allinone.layout import Layout


class CheckStateTests(SynchronousTestCase):
    """``check_state``: PostgreSQL and RabbitMQ have accounts of their own."""

    def test_closed_directory(self):
        """A state directory below one that they may not enter is refused."""
        parent = Path(self.mktemp()).resolve()
        parent.mkdir(mode=0o700)
        with self.assertRaises(Failure) as caught:
            check_state(Layout(parent / "state"))
        self.assertIn(str(parent), str(caught.exception))
        self.assertIn("--state", str(caught.exception))

    def test_open_directory(self):
        """One that all may enter will do; it need not exist."""
        check_state(Layout(Path("/var/lib/no-such-directory/state")))
