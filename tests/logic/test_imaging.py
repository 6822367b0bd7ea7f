"""Image orders: a node is told of each once, and nothing of it stays at Ganeti."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from snf.core.catalog import Image
from snf.core.errors import Gone
from snf.core.naming import of_images
from snf.core.node_keys import NodeKeys
from snf.core.order import Kind, Snapshot
from snf.core.quota import NO_LIMITS
from snf.logic.guests import Nodes
from snf.storage import snapshots
from snf.storage.uploads import Upload
from snf.testing import world
from snf.testing.ganeti import Fault
from snf.testing.nodes import signed_url
from tests.logic.case import LogicTestCase

KEYS = NodeKeys.of("a key of the tests that nobody else has")
NODES = Nodes("http://api.test:8774", keys=KEYS)
MODIFY = "OP_INSTANCE_SET_PARAMS"


class ImagingTests(LogicTestCase):
    """A server whose disk is to become an image."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatch()
        self.seen: list[str | None] = []
        told = self.ganeti.on_change

        def look(job: dict[str, Any]) -> None:
            """Note what the hook of the node would see."""
            for op in job["ops"]:
                if op["input"]["OP_ID"] == MODIFY and op["status"] == "success":
                    machine = self.ganeti.machines.by_name[op["input"]["instance_name"]]
                    self.seen.append(signed_url(machine.tags))
            told(job)

        self.ganeti.on_change = look

    def submit(self, claimant: int = 1, nodes: Nodes = NODES, **more: Any) -> Any:
        return super().submit(claimant=claimant, nodes=nodes, **more)

    async def image(self, server: int) -> tuple[UUID, UUID]:
        """Order an image; return it and the order."""
        now = datetime.fromtimestamp(time.time(), UTC)
        image = Image(
            uuid4(), "i", "cyclades+default", now, now, world.PROJECT_A.id, "saving"
        )
        upload = Upload(uuid4(), image.id, "snapshot", now, now)
        await self.database.run(snapshots.add, image, upload, NO_LIMITS)
        order = await self.ask(server, Kind.IMAGE, snapshot=Snapshot(image.id))
        return image.id, order

    async def deleted(self, image: UUID) -> bool:
        [(gone,)] = await self.rows(
            "SELECT deleted IS NOT NULL FROM image WHERE id = %s", image
        )
        return gone

    def tags(self, server: int) -> frozenset[str]:
        return of_images(self.ganeti.machines.by_name[f"snf-{server}"].tags)

    async def begun(self, server: int) -> None:
        """Wait until the node has been told, and nothing of it is left."""

        async def told() -> bool:
            return bool(self.seen) and not self.tags(server)

        await self.until(told)

    async def untagged(self, server: int) -> None:
        async def gone() -> bool:
            return not self.tags(server)

        await self.until(gone)

    async def test_told(self) -> None:
        """Its node sees where to bring it, signed; afterwards the tags are gone."""
        self.submit()
        server = await self.active()
        self.ganeti.machines.by_name[f"snf-{server}"].tags.append("backup:daily")
        image, order = await self.image(server)
        await self.begun(server)
        [url] = self.seen
        path, _, query = (url or "").partition("?")
        self.assertEqual(f"http://api.test:8774/node/v1/snapshots/{order}", path)
        given = dict(pair.split("=") for pair in query.split("&"))
        signed = (given["expires"], given["signature"], time.time())
        there = f"/node/v1/snapshots/{order}"
        self.assertTrue(KEYS.signer.good("PUT", there, *signed))
        self.assertIn(
            "backup:daily", self.ganeti.machines.by_name[f"snf-{server}"].tags
        )
        self.assertFalse(await self.deleted(image))
        # It goes on until the node says how it ends.
        await self.level()
        self.assertEqual([("image", "submitted")], (await self.states(server))[-1:])
        await self.database.run(snapshots.fail, order, "no room")
        self.assertTrue(await self.deleted(image))
        self.assertEqual([("image", "failed")], (await self.states(server))[-1:])

    async def test_once(self) -> None:
        """After answers that were lost it is begun once; what that leaves is removed."""
        self.submit()
        server = await self.active()
        for path in ("/tags", "/modify"):
            self.ganeti.faults.next(Fault.LOSE, method="PUT", part=path)
        _, order = await self.image(server)

        async def seen() -> bool:
            return bool(self.seen)

        await self.until(seen)
        await self.reaches(server, "image", "submitted")
        await self.level()  # it is under way: it may be that its hook has yet to look
        self.assertTrue(self.tags(server))
        await self.database.run(snapshots.fail, order, "no room")
        await self.level()
        await self.untagged(server)
        self.assertEqual(1, len(self.seen))

    async def test_firewall(self) -> None:
        """What is to be let in does not wait for an image."""
        self.submit()
        server = await self.active()
        await self.image(server)
        await self.begun(server)
        await self.ask(server, Kind.FIREWALL)
        await self.until(partial(self.ended, server, "firewall"))
        self.assertIn(("image", "submitted"), await self.states(server))
        await self.ask(server, Kind.STOP)
        await self.reaches(server, "stop", "new")

    async def ended(self, server: int, kind: str) -> bool:
        return (kind, "done") in await self.states(server)

    async def test_old_tags(self) -> None:
        """What an order before has left there is removed first."""
        self.submit()
        server = await self.active()
        old = f"cyclades:image:{uuid4()}:1:{'0' * 64}"
        self.ganeti.machines.by_name[f"snf-{server}"].tags.append(old)
        _, order = await self.image(server)
        await self.begun(server)
        [url] = self.seen
        self.assertIn(str(order), url or "")

    async def test_hook_fails(self) -> None:
        """A node that cannot begin fails the order, and there is no image."""
        self.submit()
        server = await self.active()
        self.ganeti.spoil(MODIFY, "Hooks abort: no room")
        image, _ = await self.image(server)
        await self.rests(server)
        self.assertTrue(await self.deleted(image))
        await self.untagged(server)
        [(error,)] = await self.rows("SELECT error FROM orders WHERE kind = 'image'")
        self.assertIn("no room", error)

    async def test_no_key(self) -> None:
        """Without a key nothing can be told, and that is said."""
        self.submit(nodes=Nodes("http://x"))
        server = await self.active()
        image, _ = await self.image(server)
        await self.rests(server)
        self.assertTrue(await self.deleted(image))
        self.assertEqual([], self.seen)

    async def test_deleted(self) -> None:
        """A server that is deleted takes its image along, begun or not."""
        self.submit()
        server = await self.active()
        image, order = await self.image(server)
        await self.begun(server)
        await self.ask(server, Kind.DELETE)
        await self.rests(server)
        self.assertTrue(await self.deleted(image))
        with self.assertRaises(Gone):
            await self.database.run(snapshots.fail, order, "too late")
