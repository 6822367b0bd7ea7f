"""Where a new server goes."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.placement import Candidate, Capacity, Need, choose
from snf.core.server_group import Company, Policy

NEED = Need(ram_mib=1024, disk_gib=10, disk_template="plain")
ROOMY = Capacity(2, 16, 65_536, 60_000, 1_000_000, 900_000, 3)
BUSY = Capacity(2, 16, 65_536, 20_000, 1_000_000, 300_000, 8)
FULL = Capacity(2, 16, 65_536, 512, 1_000_000, 5_000, 11)
NOTHING = Capacity(0, 0, 0, 0, 0, 0, 0)

AMOUNT = st.integers(0, 10**6)
CAPACITIES = st.builds(Capacity, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        AMOUNT,
        st.none() | CAPACITIES,
        AMOUNT,
        AMOUNT,
        AMOUNT,
        st.booleans(),
    )
)


class ChooseTests(SynchronousTestCase):
    """``choose``."""

    def chosen(self, *candidates: Candidate, need: Need = NEED) -> int | None:
        """Return the choice, which must not depend on the order."""
        choice = choose(candidates, need)
        self.assertEqual(choice, choose(reversed(candidates), need))
        return choice

    def test_most_room(self) -> None:
        """It goes where most is free."""
        self.assertEqual(1, self.chosen(Candidate(1, ROOMY), Candidate(2, BUSY)))

    def test_fits(self) -> None:
        """Where one of memory, disk and processors is short, it does not go."""
        busy = Candidate(1, BUSY)
        for change in (
            {"ram_free_mib": 1024},
            {"disk_free_mib": 10_239},
            {"instances": 11},
        ):
            short = Candidate(2, evolve(ROOMY, **change))
            self.assertEqual(1, self.chosen(busy, short), change)

    def test_none_fits(self) -> None:
        """Where all are full it goes to the best of them: the numbers are pessimistic."""
        fuller = evolve(FULL, ram_free_mib=0)
        self.assertEqual(2, self.chosen(Candidate(1, fuller), Candidate(2, FULL)))
        self.assertEqual(1, self.chosen(Candidate(1, NOTHING)))

    def test_drbd(self) -> None:
        """A disk with a copy takes its size twice."""
        half = evolve(ROOMY, disk_free_mib=15_000)
        candidates = (Candidate(1, half), Candidate(2, evolve(BUSY, instances=9)))
        plain = evolve(NEED, disk_template="drbd")
        self.assertEqual(2, self.chosen(*candidates, need=plain))

    def test_since(self) -> None:
        """Servers that have been put there since it was measured count."""
        crowded = Candidate(1, ROOMY, 8, 50_000, 800_000)
        self.assertEqual(2, self.chosen(crowded, Candidate(2, BUSY)))

    def test_unknown(self) -> None:
        """One that was never measured comes between those with and without room."""
        unknown = Candidate(2)
        self.assertEqual(1, self.chosen(Candidate(1, BUSY), unknown))
        self.assertEqual(2, self.chosen(Candidate(1, FULL), unknown))
        self.assertEqual(3, self.chosen(Candidate(2, since=5), Candidate(3, since=4)))

    def test_unreachable(self) -> None:
        """One that does not answer gets servers only when there is no other."""
        away = Candidate(1, ROOMY, reachable=False)
        self.assertEqual(2, self.chosen(away, Candidate(2, FULL)))
        self.assertEqual(1, self.chosen(away))

    def test_apart(self) -> None:
        """Where others of its group are, it goes only when no other has room."""
        candidates = (Candidate(1, ROOMY), Candidate(2, BUSY), Candidate(3, FULL))
        for policy in (Policy.ANTI_AFFINITY, Policy.SOFT_ANTI_AFFINITY):
            for members, expected in (
                ({}, 1),
                ({1: 1}, 2),
                ({1: 1, 2: 1}, 1),
                ({1: 2, 2: 1}, 2),
                ({1: 1, 2: 1, 3: 0, 9: 5}, 1),
            ):
                company = Company(policy, members)
                choice = choose(candidates, NEED, company)
                self.assertEqual(expected, choice, (policy, members))

    def test_crowded(self) -> None:
        """Where each machine has as many of the group as it may, it does not go."""
        candidates = (Candidate(1, ROOMY), Candidate(2, FULL))
        for policy, per_node, members, expected in (
            (Policy.ANTI_AFFINITY, 1, {1: 1, 2: 1}, 1),
            (Policy.ANTI_AFFINITY, 1, {1: 2, 2: 1}, 2),
            (Policy.ANTI_AFFINITY, 1, {1: 2, 2: 2}, 1),
            (Policy.ANTI_AFFINITY, 2, {1: 2, 2: 1}, 1),
            (Policy.ANTI_AFFINITY, 2, {1: 4, 2: 3}, 2),
            (Policy.SOFT_ANTI_AFFINITY, 1, {1: 2, 2: 1}, 1),
        ):
            company = Company(policy, members, per_node)
            self.assertEqual(expected, choose(candidates, NEED, company), company)
        unknown = (Candidate(1), Candidate(2, since=1))
        company = Company(Policy.ANTI_AFFINITY, {1: 9, 2: 9})
        self.assertEqual(1, choose(unknown, NEED, company))

    def test_together(self) -> None:
        """It goes where the others are, at any price where it must."""
        candidates = (
            Candidate(1, ROOMY),
            Candidate(2, BUSY),
            Candidate(3, FULL, reachable=False),
        )
        hard, soft = Policy.AFFINITY, Policy.SOFT_AFFINITY
        for policy, members, expected in (
            (hard, {}, 1),
            (hard, {2: 1}, 2),
            (hard, {3: 1}, 3),
            (hard, {9: 1}, None),
            (hard, {9: 0, 1: 0}, 1),
            (soft, {2: 1}, 2),
            (soft, {1: 1, 2: 2}, 2),
            (soft, {3: 1}, 1),
            (soft, {9: 1}, 1),
        ):
            choice = choose(candidates, NEED, Company(policy, members))
            self.assertEqual(expected, choice, (policy, members))

    def test_nowhere(self) -> None:
        """Where there is no candidate there is no choice."""
        self.assertIsNone(self.chosen())

    @given(CANDIDATES)
    def test_always_one(self, candidates) -> None:
        """Whatever is measured, one of the candidates is chosen."""
        choice = choose(candidates, NEED)
        known = {one.cluster for one in candidates}
        self.assertTrue(choice in known if known else choice is None)
