"""Server groups, under many hands at once."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from snf.api.compute.bodies import NewServer
from snf.api.compute.build import Builder
from snf.core.errors import BadRequest, QuotaExceeded
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server_group import Policy, ServerGroup
from snf.storage import clusters, quotas, server_groups
from snf.storage.database import Transaction
from snf.testing import world
from snf.testing.postgres import threaded_database
from tests.storage.test_quotas import ALICE

WANTED = NewServer(
    name="web", flavorRef=str(world.SMALL.id), imageRef=str(world.TINY.id)
)
AT_ONCE = 12


class RaceTests(TestCase):
    """Several new members at once, each on a connection of its own."""

    timeout = 120

    async def setUp(self) -> None:
        self.database = threaded_database(self, reactor, threads=6)
        await self.database.run(world.make)
        for name in ("two", "three"):
            await self.database.run(clusters.add, evolve(world.CLUSTER, name=name))

    async def group(self, policy: Policy) -> UUID:
        """Return the id of a new group."""
        group = ServerGroup(uuid4(), world.PROJECT_A.id, world.ALICE.id, "g", policy)
        await self.database.run(server_groups.add, group, NO_LIMITS)
        return group.id

    async def join(self, group: UUID, *others: Any, **limits: int) -> list[Any]:
        """Ask for members, all at once with other work; return how that went."""
        more = {Resource(name): most for name, most in limits.items()}
        builder = Builder(limits={**NO_LIMITS, **more})

        def build(txn: Transaction, index: int) -> UUID:
            return builder.build(txn, ALICE, WANTED, "r-1", index, str(group)).uuid

        works = [(build, index) for index in range(AT_ONCE)]
        works[AT_ONCE // 2 : AT_ONCE // 2] = others
        return await DeferredList(
            [Deferred.fromCoroutine(self.database.run(*work)) for work in works],
            consumeErrors=True,
        )

    async def places(self) -> list[int]:
        """Return how many servers are on each cluster that has some, the most first."""

        def look(txn: Transaction) -> list[Any]:
            txn.execute("SELECT cluster_id FROM server")
            return txn.fetchall()

        counts = Counter(await self.database.run(look))
        return sorted(counts.values(), reverse=True)

    async def test_together(self) -> None:
        """All that must be together are, although none was there at first."""
        results = await self.join(await self.group(Policy.AFFINITY))
        self.assertEqual({True}, {success for success, _ in results}, results)
        self.assertEqual([AT_ONCE], await self.places())

    async def test_apart(self) -> None:
        """Those that had better be apart are spread evenly."""
        results = await self.join(await self.group(Policy.SOFT_ANTI_AFFINITY))
        self.assertEqual({True}, {success for success, _ in results}, results)
        self.assertEqual([AT_ONCE // 3] * 3, await self.places())

    async def test_members(self) -> None:
        """There are never more members than there may be."""
        group = await self.group(Policy.SOFT_AFFINITY)
        results = await self.join(group, server_group_members=5)
        self.assertEqual(5, sum(success for success, _ in results))
        for success, result in results:
            if not success:
                result.trap(QuotaExceeded)
        self.assertEqual([5], await self.places())

    async def test_group_goes(self) -> None:
        """While a group is deleted servers are built in it, or refused; none is lost."""
        group = await self.group(Policy.AFFINITY)
        delete = (server_groups.remove, world.PROJECT_A.id, group)
        results = await self.join(group, delete)
        built = 0
        for success, result in results:
            if success:
                built += result is not None
            else:
                result.trap(BadRequest)
        self.assertEqual(built, sum(await self.places()))
        self.assertEqual([], await self.database.run(quotas.recount))
