"""Everything at once, by chance: whatever happened, it all ends in the truth."""

from random import Random
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core.errors import Conflict, Unavailable
from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Action, Status, permit
from snf.testing.ganeti import Fault
from tests.logic.case import BUILD, LogicTestCase

_ASKED = {
    Kind.START: Action.START,
    Kind.STOP: Action.STOP,
    Kind.REBOOT: Action.REBOOT,
    Kind.DELETE: Action.DELETE,
    Kind.MIGRATE: Action.MIGRATE,
    Kind.MIGRATE_LIVE: Action.MIGRATE_LIVE,
}
_FAULTS = (Fault.REFUSE, Fault.ERROR, Fault.AWAY, Fault.LOSE)
_OPCODES = {
    "SHUTDOWN": {},
    "STARTUP": {},
    "REMOVE": {},
    "REBOOT": {"reboot_type": "hard"},
    "FAILOVER": {},
    "MIGRATE": {"mode": "live"},
}


class ChaosTests(LogicTestCase):
    """Users, an operator, faults, lost news and cut connections."""

    async def chaos(self, seed: int) -> None:
        self.random = Random(seed)
        self.servers: list[int] = []
        self.ganeti.machines.others = ("node2.test",)
        self.dispatch()
        self.submitters = [
            self.submit(claimant=claimant, timeout_s=1.0, attempts=1000)
            for claimant in (1, 2)
        ]
        happenings = [
            (6, self.a_server),
            (10, self.a_wish),
            (3, self.a_fault),
            (2, self.deafness),
            (2, self.an_operator),
            (1, self.a_cut),
            (2, self.a_levelling),
            (12, self.time),
        ]
        weights, choices = zip(*happenings, strict=True)
        for _ in range(80):
            [happening] = self.random.choices(choices, weights)
            await happening()
            await deferLater(reactor, 0.01)
        await self.calm()
        await self.check()
        # A connection may be cut just when something is committed.
        self.flushLoggedErrors(Unavailable)

    async def a_server(self) -> None:
        build = evolve(BUILD, disk_template=self.random.choice(("file", "sharedfile")))
        self.servers.append(await self.ask_server(build))

    async def a_wish(self) -> None:
        """Ask for something that is allowed, as the API does."""
        if not self.servers:
            return
        server = self.random.choice(self.servers)
        kind = self.random.choice([*_ASKED])
        life = await self.life(server)
        if life is None:
            return
        try:
            permit(_ASKED[kind], life.status, life.task, server)
        except Conflict:
            return
        if kind is Kind.DELETE and life.task is not None and "DELET" in life.task.name:
            return
        await self.ask(server, kind)

    async def a_fault(self) -> None:
        self.ganeti.faults.next(
            self.random.choice(_FAULTS), times=self.random.randint(1, 3)
        )

    async def deafness(self) -> None:
        self.cluster.deaf = not self.cluster.deaf

    async def an_operator(self) -> None:
        names = [*self.ganeti.machines.by_name]
        if names:
            op = self.random.choice([*_OPCODES])
            name = self.random.choice(names)
            self.ganeti.operate(f"OP_INSTANCE_{op}", name, **_OPCODES[op])

    async def a_cut(self) -> None:
        await self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def a_levelling(self) -> None:
        if not self.ganeti.faults._planned:
            await self.reconciler().level(await self.row())

    async def time(self) -> None:
        self.clock.advance(self.random.uniform(0.05, 0.5))

    async def calm(self) -> None:
        """Let all of it end."""
        self.ganeti.faults._planned.clear()
        self.cluster.deaf = False
        # New ones know nothing of pauses that grew long.
        for layers in self.submitters:
            await layers.stopService()
        await self.rows("UPDATE orders SET not_before = now()")
        self.submit(claimant=3)

        async def all_done() -> bool:
            self.clock.advance(0.5)
            await self.reconciler().level(await self.row(), trust_missing=True)
            still = await self.rows(
                "SELECT 1 FROM orders WHERE state IN ('new', 'submitting', 'submitted')"
            )
            return not still and all(job.end for job in self.cluster.jobs())

        await self.until(all_done)
        await self.level(trust_missing=True)
        await self.level(trust_missing=True)

    async def check(self) -> None:
        there = self.ganeti.machines.by_name
        for server in self.servers:
            status = await self.status(server)
            machine = there.get(instance_name("snf", server))
            story: Any = (
                server,
                status,
                await self.states(server),
                [
                    (job.input["OP_ID"], job.status, job.result)
                    for job in self.cluster.jobs("", server)
                ],
            )
            if machine is None:
                self.assertIn(status, (Status.DELETED, Status.ERROR), story)
            else:
                wanted = Status.ACTIVE if machine.running else Status.SHUTOFF
                self.assertIs(wanted, status, story)
            made = [
                job
                for job in self.cluster.jobs("CREATE", server)
                if job.status == "success"
            ]
            self.assertLessEqual(len(made), 1, story)
            self.assertEqual(
                status is not Status.DELETED, bool(await self.addresses(server)), story
            )


def _add(seed: int) -> None:
    def test(self: ChaosTests) -> Any:
        return self.chaos(seed)

    test.__doc__ = f"By the dice of seed {seed}."
    setattr(ChaosTests, f"test_{seed}", test)


for _seed in range(6):
    _add(_seed)
