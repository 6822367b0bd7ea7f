"""On which clusters a project's new server may be."""

from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import Unavailable
from snf.core.placement import Capacity, Need
from snf.storage import capacities, clusters, servers
from snf.testing import world
from snf.testing.postgres import shared_database

ROOM = Capacity(1, 64, 65_536, 60_000, 1_000_000, 900_000, 0)
NEED = Need(128, 1, "file")
ALPHA, BETA = world.PROJECT_A.id, world.PROJECT_B.id


class ChooseTests(SynchronousTestCase):
    """``clusters.choose``, with three clusters."""

    def setUp(self) -> None:
        self.database = shared_database(self)
        self.run_in(world.make)
        for number in (2, 3):
            one = evolve(world.CLUSTER, name=f"ganeti{number}.test")
            self.run_in(clusters.add, one)
        self.ids = [one.id for one in self.run_in(clusters.listing)]

    def run_in(self, function: Any, *args: Any) -> Any:
        return self.successResultOf(
            Deferred.fromCoroutine(self.database.run(function, *args))
        )

    def chosen(self, project: UUID = ALPHA, need: Need = NEED) -> int:
        """Return which one, as a place in the list."""
        return self.ids.index(self.run_in(clusters.choose, project, need).id)

    def server(self, cluster: int) -> None:
        """Have a server on a cluster."""
        new = servers.NewServer(
            uuid4(),
            ALPHA,
            world.ALICE.id,
            "x",
            world.LARGE.id,
            world.TINY.id,
            self.ids[cluster],
            {},
        )
        self.run_in(servers.add, new)

    def measured(self, *rooms: Capacity, age_s: float = 0) -> None:
        """Have measured the first clusters."""
        for cluster, room in zip(self.ids, rooms, strict=False):
            self.run_in(capacities.save, cluster, room, age_s)

    def test_never_measured(self) -> None:
        """Before anything is measured it is the one with the fewest servers."""
        self.assertEqual(0, self.chosen())
        for cluster in (0, 0, 1, 2, 2):
            self.server(cluster)
        self.assertEqual(1, self.chosen())

    def test_measured(self) -> None:
        """It is the one with most room, less what has been put there since."""
        less = evolve(ROOM, ram_free_mib=50_000)
        self.measured(less, ROOM, evolve(ROOM, ram_free_mib=100))
        self.assertEqual(1, self.chosen())
        for _ in range(3):
            self.server(1)
        self.assertEqual(0, self.chosen())
        self.measured(less, ROOM)
        self.assertEqual(1, self.chosen(), "what was measured has them in it")

    def test_measured_before(self) -> None:
        """What was put there before it was measured is not counted twice."""
        self.server(0)
        self.measured(ROOM, evolve(ROOM, ram_free_mib=59_000))
        self.assertEqual(0, self.chosen())
        self.measured(ROOM, evolve(ROOM, ram_free_mib=59_000), age_s=60)
        self.assertEqual(1, self.chosen())

    def test_not_used(self) -> None:
        """Neither drained and offline ones, nor those without the disk template."""
        self.measured(ROOM, ROOM, ROOM)
        self.run_in(clusters.set_use, self.ids[0], True, None)
        self.assertEqual(1, self.chosen())
        self.run_in(clusters.set_use, self.ids[0], False, True)
        self.assertEqual(1, self.chosen())
        self.run_in(clusters.set_use, self.ids[0], None, False)
        self.assertEqual(0, self.chosen())
        self.run_in(
            lambda txn: txn.execute(
                "UPDATE cluster SET disk_templates = '{drbd,plain}' WHERE id = %s",
                (self.ids[0],),
            )
        )
        self.assertEqual(1, self.chosen())
        self.assertEqual(0, self.chosen(need=evolve(NEED, disk_template="plain")))

    def test_kept(self) -> None:
        """A cluster that is kept for a project is used by it alone, and it no other."""
        self.measured(evolve(ROOM, ram_free_mib=100), ROOM, ROOM)
        self.run_in(clusters.keep_for, self.ids[0], [ALPHA])
        self.assertEqual((0, 1), (self.chosen(ALPHA), self.chosen(BETA)))
        self.run_in(clusters.set_use, self.ids[0], True, None)
        with self.assertRaises(Unavailable):
            self.chosen_or_raise(ALPHA)
        self.run_in(clusters.keep_for, self.ids[0], [])
        self.assertEqual(1, self.chosen(ALPHA))

    def chosen_or_raise(self, project: UUID) -> None:
        """Raise what the choice raises."""
        work = self.database.run(clusters.choose, project, NEED)
        raise self.failureResultOf(Deferred.fromCoroutine(work)).value
