"""Spoiled handshakes; ``tests.console.million`` makes more of them."""

from twisted.trial.unittest import SynchronousTestCase

from tests.console.million import run


class SpoiledTests(SynchronousTestCase):
    """Whatever comes, a handshake ends, and nobody is let in who should not be."""

    def test_some(self) -> None:
        """Twenty thousand, always the same; of each end there are some."""
        ended = run(20_000, seed=20_261_123)
        for how in (
            "viewer: let in",
            "viewer: wrong password",
            "viewer: security type not offered",
            "viewer: does not speak RFB",
            "screen: let us in",
            "screen: failed",
            "request: granted",
            "request: refused",
        ):
            self.assertGreater(ended[how], 100, how)
