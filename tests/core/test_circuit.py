"""When a server is left alone."""

from twisted.trial.unittest import SynchronousTestCase

from snf.core.circuit import Circuit


class CircuitTests(SynchronousTestCase):
    """What follows from failures."""

    def setUp(self) -> None:
        self.circuit = Circuit(trial_s=10)

    def fail_at(self, began: float, now: float) -> bool:
        """Note a failure, with no luck at all."""
        return self.circuit.failed(began, now, chance=1.0)

    def test_tolerated(self) -> None:
        """An answer now and then is enough."""
        for now in range(20):
            self.assertTrue(self.circuit.admits(now))
            self.assertFalse(self.fail_at(now, now))
            if now % 2:
                self.assertFalse(self.circuit.succeeded())

    def test_left_alone(self) -> None:
        """After the third in a row nobody asks; then one does, and the others wait."""
        self.assertEqual([False, False, True], [self.fail_at(0, 0) for _ in range(3)])
        self.assertFalse(self.circuit.admits(0.9))
        self.assertTrue(self.circuit.admits(1.0))
        self.assertFalse(self.circuit.admits(1.0))
        self.assertTrue(self.circuit.succeeded())
        self.assertTrue(self.circuit.admits(1.0))

    def test_lost_trial(self) -> None:
        """Whoever tries and is never heard of again keeps the others waiting not for ever."""
        for _ in range(3):
            self.fail_at(0, 0)
        self.assertTrue(self.circuit.admits(1))
        self.assertFalse(self.circuit.admits(10.9))
        self.assertTrue(self.circuit.admits(11))

    def test_longer(self) -> None:
        """Each trial that fails doubles the time, to half a minute at most."""
        now, waits = 0.0, []
        for _ in range(3):
            self.fail_at(now, now)
        for _ in range(8):
            waits.append(self.circuit.until - now)
            now = self.circuit.until
            self.assertTrue(self.circuit.admits(now))
            self.fail_at(now, now)
        self.assertEqual([1, 2, 4, 8, 16, 30, 30, 30], waits)

    def test_same_batch(self) -> None:
        """What was under way when it began fails too, which is no news."""
        for _ in range(20):
            self.fail_at(0, 5)
        self.assertEqual(6, self.circuit.until)
