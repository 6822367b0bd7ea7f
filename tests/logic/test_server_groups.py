"""Builds that rely on a cluster's keeping them apart."""

from uuid import UUID

from attrs import evolve

from snf.core.naming import EXCLUSION, apart_tag
from snf.core.server import Status
from snf.testing.ganeti import Fault
from tests.logic.case import BUILD, LogicTestCase

TAG = apart_tag(UUID(int=7), 0)
APART = evolve(BUILD, tags=(TAG,))


class ApartTests(LogicTestCase):
    """A cluster of one machine, and servers that must not share it."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatch()
        self.submit()

    async def builds(self, expected: Status) -> int:
        """Ask for one more server of the group, and see how that ends."""
        server = await self.ask_server(APART)
        await self.rests(server)
        self.assertIs(expected, await self.status(server))
        return server

    def tagging(self) -> int:
        """Return how often the cluster has been asked to heed tags."""
        ops = [entry.input["OP_ID"] for entry in self.ganeti.queue.entries.values()]
        return ops.count("OP_TAGS_SET")

    async def test_asked_once(self) -> None:
        """A cluster that heeds no tags is made to before the first such build."""
        first = await self.builds(Status.ACTIVE)
        self.assertEqual({EXCLUSION}, self.ganeti.machines.tags)
        self.assertEqual([TAG], self.ganeti.machines.by_name[f"snf-{first}"].tags)
        second = await self.builds(Status.ERROR)
        life = await self.life(second)
        assert life is not None and life.fault is not None
        self.assertIn("server group", life.fault.message)
        self.assertEqual(1, self.tagging())

    async def test_not_needed(self) -> None:
        """Other builds ask for nothing."""
        await self.active()
        self.assertEqual(0, self.tagging())

    async def test_tag_lost(self) -> None:
        """Where the operator has removed the tag, the next such build sets it again."""
        await self.builds(Status.ACTIVE)
        self.ganeti.machines.tags.clear()
        await self.builds(Status.ERROR)
        self.assertEqual(2, self.tagging())

    async def test_tag_fails(self) -> None:
        """A build is not carried out where its tag would not be heeded."""
        self.ganeti.spoil("OP_TAGS_SET", "no tags today")
        server = await self.builds(Status.ERROR)
        self.assertNotIn(f"snf-{server}", self.ganeti.machines.by_name)

    async def test_trouble(self) -> None:
        """A cluster that fails to answer is asked again; the server is built once."""
        self.ganeti.faults.next(Fault.ERROR, 1, "GET", "/2/tags")
        self.ganeti.faults.next(Fault.LOSE, 1, "PUT", "/2/tags")
        await self.builds(Status.ACTIVE)
        self.assertEqual(1, len(self.ganeti.machines.by_name))
