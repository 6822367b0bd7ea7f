"""How often somebody may try to log in."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.throttle import KNOWN, PAIR, WHOLE, Throttle, network


class ThrottleTests(SynchronousTestCase):
    """Attempts that fail, and those that do not."""

    def setUp(self) -> None:
        self.throttle = Throttle()

    def tries(self, user: str, address: str, now: float = 0.0) -> int:
        """Return how many attempts are let through at once."""
        return sum(self.throttle.admit(user, address, now) == 0 for _ in range(200))

    def attack(self, user: str, addresses: int) -> None:
        """Have a user's password guessed from many places."""
        for number in range(addresses):
            self.tries(user, f"198.51.{number // 250}.{number % 250}")

    def test_guessing(self) -> None:
        """From one address one user may fail some times, then once in a while."""
        self.assertEqual(PAIR.burst, self.tries("alice", "192.0.2.1"))
        wait = self.throttle.admit("alice", "192.0.2.1", 0.0)
        self.assertEqual(PAIR.decay_s, wait)
        self.assertEqual(0, self.tries("alice", "192.0.2.1", wait - 1))
        self.assertEqual(1, self.tries("alice", "192.0.2.1", wait))
        self.assertEqual(PAIR.burst, self.tries("alice", "192.0.2.1", 3600.0))

    def test_success(self) -> None:
        """Who succeeds is never slowed, however often."""
        for _ in range(1000):
            self.assertEqual(0, self.throttle.admit("alice", "192.0.2.1", 0.0))
            self.throttle.succeeded("alice", "192.0.2.1", 0.0)
        self.assertEqual(KNOWN.burst, self.tries("alice", "192.0.2.1"))

    def test_others_at_the_address(self) -> None:
        """Guessing at one user slows nobody else."""
        self.tries("alice", "192.0.2.1")
        self.assertEqual(PAIR.burst, self.tries("bob", "192.0.2.1"))

    def test_nobody_is_locked_out(self) -> None:
        """However many guess at a user, a new address has a try, a known one more."""
        self.assertEqual(0, self.throttle.admit("alice", "192.0.2.7", 0.0))
        self.throttle.succeeded("alice", "192.0.2.7", 0.0)
        self.attack("alice", 500)
        self.assertEqual(1, self.tries("alice", "203.0.113.9"))
        self.assertEqual(KNOWN.burst, self.tries("alice", "192.0.2.7"))
        self.assertEqual(PAIR.burst, self.tries("bob", "203.0.113.9"))

    def test_spraying(self) -> None:
        """Who tries one password on all users comes down to one try at each."""
        for number in range(WHOLE.burst):
            self.throttle.admit(f"user{number}", "192.0.2.1", 0.0)
        self.assertEqual(1, self.tries("alice", "192.0.2.1"))
        self.assertEqual(PAIR.burst, self.tries("alice", "192.0.2.2"))

    def test_attack_over(self) -> None:
        """Afterwards all is as before, by itself."""
        self.attack("alice", 500)
        later = 3 * WHOLE.burst * WHOLE.decay_s
        self.assertEqual(PAIR.burst, self.tries("alice", "203.0.113.9", later))

    def test_bound(self) -> None:
        """Only so much is remembered, however many come; who is known stays known."""
        throttle = self.throttle = Throttle(100)
        throttle.admit("alice", "192.0.2.7", 0.0)
        throttle.succeeded("alice", "192.0.2.7", 0.0)
        for number in range(1000):
            throttle.admit(f"user{number}", f"10.0.{number // 250}.{number % 250}", 0.0)
        self.assertEqual(KNOWN.burst, self.tries("alice", "192.0.2.7"))
        for counts in (throttle._pairs, throttle._users, throttle._addresses):
            self.assertLessEqual(len(counts._kept), 100)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.sampled_from("12"),
                st.floats(0, 100),
                st.booleans(),
            )
        )
    )
    def test_any_history(self, history: list[tuple[str, str, float, bool]]) -> None:
        """Whatever has happened, an address that was never used has its try."""
        throttle, now = Throttle(), 0.0
        for user, address, pause, good in history:
            now += pause
            if throttle.admit(user, address, now) == 0 and good:
                throttle.succeeded(user, address, now)
        self.assertEqual(0, throttle.admit("a", "3", now))

    def test_networks(self) -> None:
        """IPv6 counts by the /64; IPv4 in IPv6 is IPv4; what is no address is itself."""
        self.assertEqual("2001:db8::", network("2001:db8::1:2:3:4"))
        self.assertEqual("2001:db8::", network("2001:db8:0:0:9::%eth0"))
        self.assertEqual("192.0.2.1", network("::ffff:192.0.2.1"))
        self.assertEqual("", network(""))
