"""Firewall orders: the tags of an instance end as they are to be, whatever happens."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from snf.core.firewall import Direction, Match, Profile, Rule
from snf.core.server import Status
from snf.storage import firewalls, security_groups
from snf.testing import world
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase

_SSH = Match(4, 6, 22, 22)


class FirewallTests(LogicTestCase):
    """A server with one port."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatch()

    async def port(self, server: int) -> UUID:
        [(port,)] = await self.rows("SELECT id FROM port WHERE server_id = %s", server)
        return port

    async def profile(self, server: int, word: str) -> str:
        """Give a server's port a profile, as the API does; return its tag."""
        port = await self.port(server)

        def change(txn: Any) -> None:
            firewalls.set_profile(txn, port, word)
            firewalls.order(txn, [server], "req-3")

        await self.database.run(change)
        return f"synnefo:network:snf-nic-{port}:{word}"

    def tags(self, server: int) -> set[str]:
        """Return the tags that the instance has, which its node knows."""
        machine = self.ganeti.machines.by_name[f"snf-{server}"]
        self.assertEqual(set(machine.tags), set(machine.refreshed))
        return set(machine.tags)

    async def firewalls_of(self, server: int) -> list[str]:
        return [
            state for kind, state in await self.states(server) if kind == "firewall"
        ]

    async def test_changed(self) -> None:
        """A new profile takes the place of the old one, and the node is told."""
        self.submit()
        server = await self.active()
        for word in ("protected", "limited"):
            tag = await self.profile(server, word)
            await self.rests(server)
            self.assertEqual({tag}, self.tags(server))
        self.assertEqual(["done", "done"], await self.firewalls_of(server))

    async def test_others_stay(self) -> None:
        """Tags that are not about the firewall are left alone; Synnefo's old ones go."""
        self.submit()
        server = await self.active()
        machine = self.ganeti.machines.by_name[f"snf-{server}"]
        machine.tags = ["backup:daily", "synnefo:network:0:protected"]
        tag = await self.profile(server, "limited")
        await self.rests(server)
        self.assertEqual({"backup:daily", tag}, self.tags(server))

    async def test_with_the_build(self) -> None:
        """A machine is built with its tags, as they are when the build begins."""
        server = await self.ask_server()
        tag = await self.profile(server, "protected")
        self.assertEqual([("create", "new")], await self.states(server))
        self.submit()
        await self.rests(server)
        self.assertEqual({tag}, self.tags(server))
        self.assertEqual([], self.cluster.jobs("SET_PARAMS"))

    async def test_folded(self) -> None:
        """What is asked for while nothing has been done is done once, with the newest."""
        submitter = self.submit()
        server = await self.active()
        await submitter.stopService()
        for word in ("protected", "limited", "unprotected", "protected"):
            tag = await self.profile(server, word)
        self.assertEqual(["new"], await self.firewalls_of(server))
        self.submit(claimant=2)
        await self.rests(server)
        self.assertEqual({tag}, self.tags(server))
        self.assertEqual(1, len(self.cluster.jobs("SET_PARAMS")))

    async def test_asked_meanwhile(self) -> None:
        """What is asked for while an order is carried out is done by another one."""
        self.submit()
        server = await self.active()
        await self.profile(server, "protected")
        await self.reaches(server, "firewall", "submitted")
        tag = await self.profile(server, "limited")
        await self.rests(server)
        self.assertEqual({tag}, self.tags(server))
        self.assertEqual(["done", "done"], await self.firewalls_of(server))

    async def test_never_open_between(self) -> None:
        """Until the new profile is there the old one stays."""
        self.submit()
        server = await self.active()
        await self.profile(server, "protected")
        await self.rests(server)
        await self.profile(server, "limited")
        seen = set()

        async def over() -> bool:
            seen.add(len(self.ganeti.machines.by_name[f"snf-{server}"].tags))
            return (await self.firewalls_of(server))[-1] == "done"

        await self.until(over)
        self.assertNotIn(0, seen)

    async def test_half_set(self) -> None:
        """Who dies between two of the jobs is followed by who begins anew."""
        self.submit()
        server = await self.active()
        await self.profile(server, "protected")
        await self.rests(server)
        # The tag is added; then the answers to all else are lost, or nothing is done.
        for fault, method, part in (
            (Fault.LOSE, "PUT", "/tags"),
            (Fault.REFUSE, "DELETE", "/tags"),
            (Fault.LOSE, "DELETE", "/tags"),
            (Fault.REFUSE, "PUT", "/modify"),
            (Fault.LOSE, "PUT", "/modify"),
        ):
            self.ganeti.faults.next(fault, 1, method, part)
            word = "limited" if part == "/tags" else "protected"
            tag = await self.profile(server, word)
            await self.rests(server)
            self.assertEqual({tag}, self.tags(server), (fault, method, part))
        self.assertEqual({"done"}, set(await self.firewalls_of(server)))

    async def test_waits_for_its_own(self) -> None:
        """What an earlier attempt has asked for ends before the next one looks."""
        self.submit()
        server = await self.active()
        self.ganeti.faults.next(Fault.LOSE, 1, "PUT", "/tags")
        old = await self.profile(server, "protected")

        async def lost() -> bool:
            rows = await self.rows(
                "SELECT 1 FROM orders WHERE kind = 'firewall' AND state = 'new'"
                " AND attempts > 0"
            )
            return bool(rows)

        await self.until(lost, works=False)
        new = await self.profile(server, "limited")
        self.assertNotEqual(old, new)
        await self.rests(server)
        self.assertEqual({new}, self.tags(server))

    async def test_job_fails(self) -> None:
        """When Ganeti fails to set a tag, levelling sees that and orders it again."""
        self.submit()
        server = await self.active()
        self.ganeti.spoil("OP_TAGS_SET", "no tags today")
        tag = await self.profile(server, "protected")
        await self.rests(server)
        self.assertEqual(["failed"], await self.firewalls_of(server))
        await self.level()
        await self.rests(server)
        self.assertEqual({tag}, self.tags(server))
        await self.level()
        self.assertEqual(["failed", "done"], await self.firewalls_of(server))

    async def test_by_hand(self) -> None:
        """What an operator has changed by hand is put right by levelling."""
        self.submit()
        server = await self.active()
        tag = await self.profile(server, "protected")
        await self.rests(server)
        machine = self.ganeti.machines.by_name[f"snf-{server}"]
        machine.tags = []
        await self.level()
        await self.rests(server)
        self.assertEqual({tag}, self.tags(server))

    async def test_nothing_said(self) -> None:
        """Where nobody has ever said anything, levelling leaves tags alone."""
        self.submit()
        server = await self.active()
        machine = self.ganeti.machines.by_name[f"snf-{server}"]
        machine.tags = ["synnefo:network:0:protected"]
        await self.level()
        self.assertEqual([], await self.firewalls_of(server))

    async def test_no_task(self) -> None:
        """It is nothing that keeps users from what they want to do."""
        self.submit()
        server = await self.active()
        await self.profile(server, "protected")
        life = await self.life(server)
        assert life is not None
        self.assertEqual((Status.ACTIVE, None), (life.status, life.task))

    async def test_gone(self) -> None:
        """An order for an instance that is no more fails, and changes nothing."""
        self.submit()
        server = await self.active()
        del self.ganeti.machines.by_name[f"snf-{server}"]
        await self.profile(server, "protected")
        await self.rests(server)
        self.assertEqual(["failed"], await self.firewalls_of(server))
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_group(self) -> None:
        """A rule of a group is ordered for all servers in it, and a hundred fit."""
        self.submit()
        server = await self.active()

        def open_to(txn: Any, match: Match) -> None:
            project = world.PROJECT_A.id
            group = security_groups.default(txn, project, Profile.PROTECTED)
            security_groups.lock(txn, project, group)
            now = datetime.fromtimestamp(self.clock.seconds(), UTC)
            rule = Rule(uuid4(), group, project, Direction.INGRESS, match, now, "tcp")
            security_groups.add_rule(txn, rule)
            firewalls.order_for_group(txn, group, "req-4")

        for number in range(100):
            await self.database.run(open_to, Match(4, 6, 1000 + number, 1000 + number))
        await self.database.run(open_to, _SSH)
        await self.rests(server)
        port = await self.port(server)
        found = self.tags(server)
        self.assertIn(f"snf:rule:{port}:4:tcp:22-22:any", found)
        self.assertEqual(101 + 2 + 1, len(found))
