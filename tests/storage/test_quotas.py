"""The count of what projects have, under many hands at once."""

from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from snf.api.call import Call
from snf.api.compute.bodies import NewServer
from snf.api.compute.build import Builder
from snf.core.catalog import Flavor
from snf.core.errors import QuotaExceeded
from snf.core.identity import Grant, Project, Role, User
from snf.core.order import Kind, Order, Sizes
from snf.core.quota import NO_LIMITS, Resource
from snf.core.resize import Phase, Resize
from snf.core.server import Fault, Observed, ask_to_delete
from snf.storage import lives, quotas
from snf.storage.database import Transaction
from snf.testing import world
from snf.testing.postgres import threaded_database

_THEN = datetime(2026, 11, 1, tzinfo=UTC)


def caller(user: User, project: Project) -> Call:
    """Return a call of somebody."""
    grant = Grant(
        user=user,
        project=project,
        roles=frozenset({Role.MEMBER}),
        methods=("password",),
        audit_id="a",
        issued=_THEN,
        expires=_THEN,
    )
    return Call("req-x", "", "", _THEN, "", (2, 1), {}, known=grant)


ALICE = caller(world.ALICE, world.PROJECT_A)
BOB = caller(world.BOB, world.PROJECT_B)


_SIZES = (Resource.CORES, Resource.RAM_MIB, Resource.DISK_GIB)


class CountTests(TestCase):
    """Several transactions at once, each on a thread and a connection of its own."""

    timeout = 120

    async def setUp(self) -> None:
        self.database = threaded_database(self, reactor, threads=6)
        await self.database.run(world.make)

    def at_once(self, works: list[tuple[Any, ...]]) -> Deferred[Any]:
        """Run functions with their arguments side by side; (success, result) of each."""
        return DeferredList(
            [Deferred.fromCoroutine(self.database.run(*work)) for work in works],
            consumeErrors=True,
        )

    async def agree(self) -> dict[tuple[UUID, Resource], int]:
        """What was counted is what there is; return it without what is zero."""

        def look(txn: Transaction) -> Any:
            txn.execute("SELECT project_id, resource, used FROM quota_usage")
            known = {(row[0], Resource(row[1])): row[2] for row in txn.fetchall()}
            return known, quotas.counted(txn)

        known, truth = await self.database.run(look)
        self.assertEqual(truth, {key: used for key, used in known.items() if used})
        return truth

    async def test_the_last_one(self) -> None:
        """Of many who want the last unit at the same time one gets it."""
        builder = Builder(limits={**NO_LIMITS, Resource.CORES: 4})
        results = await self.at_once([(build, builder, ALICE)] * 3)
        self.assertTrue(all(done for done, _ in results))
        results = await self.at_once([(build, builder, ALICE)] * 6)
        failures = [failure for done, failure in results if not done]
        self.assertEqual(5, len(failures))
        for failure in failures:
            self.assertIsInstance(failure.value, QuotaExceeded)
        truth = await self.agree()
        self.assertEqual(4, truth[world.PROJECT_A.id, Resource.CORES])
        [(servers,)] = await self.database.run(rows, "SELECT count(*) FROM server")
        self.assertEqual(4, servers)

    async def test_other_project(self) -> None:
        """What one project has takes nothing from another."""
        builder = Builder(limits={**NO_LIMITS, Resource.INSTANCES: 1})
        results = await self.at_once([(build, builder, ALICE), (build, builder, BOB)])
        self.assertEqual([True, True], [done for done, _ in results])

    async def test_each_gives_back_once(self) -> None:
        """A server whose end is told many times at once is counted off once."""
        server = await self.database.run(build, Builder(), ALICE)
        await self.database.run(build, Builder(), ALICE)
        await self.at_once([(end, [server])] * 6)
        truth = await self.agree()
        self.assertEqual(1, truth[world.PROJECT_A.id, Resource.INSTANCES])

    async def test_failed(self) -> None:
        """A server whose build failed counts until it is deleted."""
        server = await self.database.run(build, Builder(), ALICE)
        await self.database.run(fail, [server])
        truth = await self.agree()
        self.assertEqual(1, truth[world.PROJECT_A.id, Resource.INSTANCES])
        await self.database.run(end, [server])
        # But for the project's default group, which stays.
        stays = {Resource.SECURITY_GROUPS: 1, Resource.SECURITY_GROUP_RULES: 4}
        left = {resource: n for (_, resource), n in (await self.agree()).items()}
        self.assertEqual(stays, left)

    async def test_anything(self) -> None:
        """However servers come and go side by side, the count is what there is."""
        random = Random(7)
        builder = Builder(limits={**NO_LIMITS, Resource.INSTANCES: 12})
        for _ in range(12):
            rows_now = await self.database.run(
                rows, "SELECT id FROM server WHERE deleted IS NULL"
            )
            alive = [server for (server,) in rows_now]
            works: list[tuple[Any, ...]] = []
            for _ in range(10):
                some = random.sample(alive, min(len(alive), random.randint(1, 4)))
                works.append(
                    random.choice(
                        [
                            (build, builder, random.choice([ALICE, BOB])),
                            (build, builder, random.choice([ALICE, BOB])),
                            (end, some),
                            (fail, some),
                            (call_off, some),
                            (quotas.recount,),
                        ]
                    )
                )
            for done, result in await self.at_once(works):
                if not done:
                    self.assertIsInstance(result.value, QuotaExceeded)
            await self.agree()
        self.assertEqual([], await self.database.run(quotas.recount))

    async def test_resized(self) -> None:
        """Until a resize is over its larger flavor counts, then the one that it has."""
        server = await self.database.run(build, Builder(), ALICE, world.LARGE)
        resize = Resize(
            server=server,
            phase=Phase.GOING,
            old_flavor=world.LARGE.id,
            new_flavor=world.SMALL.id,
            old=Sizes(4, 4096, 40),
            new=Sizes(1, 128, 40),
            ran=True,
            order=uuid4(),
        )
        done = evolve(resize, phase=Phase.DONE)
        for changes, held in (
            ({"resize": resize, "disk_gib": 40}, (4, 4096, 40)),
            ({"resize": done, "flavor": world.SMALL.id}, (4, 4096, 40)),
            ({"resize": None}, (1, 128, 40)),
        ):
            await self.database.run(_change, [server], **changes)
            truth = await self.agree()
            self.assertEqual(
                held,
                tuple(truth[world.PROJECT_A.id, resource] for resource in _SIZES),
            )
        await self.database.run(end, [server])
        # What is left is the project's default group.
        left = {resource for _, resource in await self.agree()}
        self.assertLessEqual(
            left, {Resource.SECURITY_GROUPS, Resource.SECURITY_GROUP_RULES}
        )

    async def test_recount(self) -> None:
        """A count that is wrong is put right, and told."""
        await self.database.run(build, Builder(), ALICE)

        def spoil(txn: Transaction) -> None:
            txn.execute("UPDATE quota_usage SET used = 7 WHERE resource = 'cores'")
            txn.execute("DELETE FROM quota_usage WHERE resource = 'ports'")

        await self.database.run(spoil)
        project = world.PROJECT_A.id
        self.assertEqual(
            {(project, Resource.CORES, 7, 1), (project, Resource.PORTS, 0, 1)},
            set(await self.database.run(quotas.recount)),
        )
        await self.agree()


def rows(txn: Transaction, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    txn.execute(query)
    return txn.fetchall()


def build(
    txn: Transaction, builder: Builder, call: Call, flavor: Flavor = world.SMALL
) -> int:
    """Ask for a server; return its id."""
    wanted = NewServer("x", str(flavor.id), str(world.TINY.id))
    uuid = builder.build(txn, call, wanted, "r-1").uuid
    txn.execute("SELECT id FROM server WHERE uuid = %s", (uuid,))
    [(server,)] = txn.fetchall()
    return server


def _change(txn: Transaction, servers: list[int], **changes: Any) -> None:
    before = lives.load(txn, servers)
    after = {server: evolve(life, **changes) for server, life in before.items()}
    lives.save(txn, before, after)


def end(txn: Transaction, servers: list[int]) -> None:
    """Hear from Ganeti that servers are gone that were to go."""
    _change(txn, servers, observed=Observed.GONE, deletion_asked=True)


def fail(txn: Transaction, servers: list[int]) -> None:
    """Hear that the builds of servers have failed."""
    _change(txn, servers, observed=Observed.DOWN, fault=Fault("no room", 1.0))


def call_off(txn: Transaction, servers: list[int]) -> None:
    """Ask for servers to be deleted, of which Ganeti may not have heard."""
    before = lives.load(txn, servers)
    after = {
        server: ask_to_delete(life, Order(id=uuid4(), server=server, kind=Kind.DELETE))
        for server, life in before.items()
    }
    for server, life in after.items():
        after[server] = evolve(
            life, orders=tuple(one for one in life.orders if one.kind is Kind.CREATE)
        )
    lives.save(txn, before, after)
