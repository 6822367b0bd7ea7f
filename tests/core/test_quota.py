"""What a project may have at most."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import QuotaExceeded
from snf.core.quota import NO_LIMITS, Resource, check

AMOUNTS = st.dictionaries(st.sampled_from(Resource), st.integers(0, 20))
LIMITS = st.fixed_dictionaries({resource: st.integers(-1, 20) for resource in Resource})


class QuotaTests(SynchronousTestCase):
    """``check``."""

    def test_words(self) -> None:
        """It is refused in Nova's words."""
        with self.assertRaises(QuotaExceeded) as caught:
            check(
                {Resource.CORES: 4, Resource.INSTANCES: 1},
                {Resource.CORES: 8, Resource.INSTANCES: 2},
                {**NO_LIMITS, Resource.CORES: 10, Resource.INSTANCES: 3},
            )
        self.assertEqual(
            "Quota exceeded for cores: Requested 4, but already used 8 of 10 cores",
            str(caught.exception),
        )

    def test_several(self) -> None:
        """All that is too much is named at once."""
        with self.assertRaises(QuotaExceeded) as caught:
            check(
                {Resource.CORES: 4, Resource.RAM_MIB: 512},
                {Resource.RAM_MIB: 1},
                {**NO_LIMITS, Resource.CORES: 0, Resource.RAM_MIB: 512},
            )
        self.assertEqual(
            "Quota exceeded for cores, ram: Requested 4, 512, but already used 0, 1"
            " of 0, 512 cores, ram",
            str(caught.exception),
        )

    @given(AMOUNTS, AMOUNTS, LIMITS)
    def test_exact(self, wanted, used, limits) -> None:
        """It is refused if and only if something wanted goes beyond a limit."""
        over = any(
            amount and limits[one] >= 0 and used.get(one, 0) + amount > limits[one]
            for one, amount in wanted.items()
        )
        try:
            check(wanted, used, limits)
        except QuotaExceeded:
            self.assertTrue(over)
        else:
            self.assertFalse(over)
