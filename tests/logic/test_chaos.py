"""Everything at once, by chance: whatever happened, it all ends in the truth."""

import contextlib
from random import Random
from typing import Any, ClassVar
from uuid import uuid4

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core import steps
from snf.core.errors import Conflict, Unavailable
from snf.core.naming import instance_name, nic_name
from snf.core.order import Kind
from snf.core.server import ALLOWED, Action, Life, Status, permit
from snf.storage import flavors, networks, subnets
from snf.testing.ganeti import Fault
from tests.logic.case import BUILD, LogicTestCase
from tests.logic.test_ports import OTHER, RANGE, attach, detach
from tests.logic.test_resize import BIG, plan, store

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

    length = 80
    at_first = 0
    happenings: ClassVar = {
        "a_server": 6,
        "a_wish": 10,
        "a_resize": 4,
        "a_plug": 6,
        "a_fault": 3,
        "deafness": 2,
        "an_operator": 2,
        "a_cut": 1,
        "a_levelling": 2,
        "time": 12,
    }

    async def chaos(self, seed: int) -> None:
        self.random = Random(seed)
        self.servers: list[int] = []
        await self.database.run(flavors.add, BIG)
        await self.database.run(networks.add, OTHER)
        await self.database.run(subnets.add, RANGE)
        self.ganeti.machines.others = ("node2.test",)
        self.dispatch()
        self.submitters = [
            self.submit(claimant=claimant, timeout_s=1.0, attempts=1000)
            for claimant in (1, 2)
        ]
        self.servers += [await self.active() for _ in range(self.at_first)]
        names, weights = zip(*self.happenings.items(), strict=True)
        choices = [getattr(self, name) for name in names]
        for _ in range(self.length):
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

    async def a_resize(self) -> None:
        """Ask for a resize of a small server, or end one either way, as the API does."""
        if not self.servers:
            return
        server = self.random.choice(self.servers)
        life = await self.life(server)
        if life is None or life.task is not None:
            return
        back = self.random.choice([True, False])

        def change(life: Life) -> Life:
            # News may have come since.
            if life.task is not None:
                return life
            if life.status is Status.VERIFY_RESIZE:
                return steps.revert(life, uuid4()) if back else steps.confirm(life)
            if life.status in ALLOWED[Action.RESIZE] and life.flavor != BIG.id:
                return steps.begin(life, plan(server, life))
            return life

        with contextlib.suppress(KeyError):  # just deleted
            await self.database.run(store, server, self.cluster.id, change)

    async def a_plug(self) -> None:
        """Attach or detach an interface of a server, as the API does."""
        if not self.servers:
            return
        server = self.random.choice(self.servers)
        life = await self.life(server)
        if life is None or life.task or life.status not in ALLOWED[Action.ATTACH]:
            return
        rows = await self.rows(
            "SELECT id FROM port WHERE server_id = %s AND position > 0"
            " AND NOT changing ORDER BY id",
            server,
        )
        with contextlib.suppress(KeyError):  # just deleted
            if rows and self.random.random() < 0.5:
                await self.database.run(detach, server, self.cluster.id, rows[0][0])
            else:
                await self.database.run(attach, server, self.cluster.id)

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
                self.assertIn(status, (wanted, Status.VERIFY_RESIZE), story)
                await self.check_sizes(server, machine, story)
                await self.check_ports(server, machine, story)
            made = [
                job
                for job in self.cluster.jobs("CREATE", server)
                if job.status == "success"
            ]
            self.assertLessEqual(len(made), 1, story)
            self.assertEqual(
                status is not Status.DELETED, bool(await self.addresses(server)), story
            )

    async def check_ports(self, server: int, machine: Any, story: Any) -> None:
        """Every NIC is a port's, and every port has its NIC, or waits for the guest."""
        rows = await self.rows(
            "SELECT id, waits, changing FROM port WHERE server_id = %s", server
        )
        nics = {nic["name"] for nic in machine.nics}
        known = {nic_name(port) for port, _, _ in rows}
        leaving = {nic_name(port) for port, waits, changing in rows if waits & changing}
        self.assertEqual(nics, known - leaving, story)

    async def check_sizes(self, server: int, machine: Any, story: Any) -> None:
        """The instance is as its flavor says, and so is what runs of it."""
        [(vcpus, ram_mib, resized)] = await self.rows(
            "SELECT f.vcpus, f.ram_mib, s.disk_gib FROM server s"
            " JOIN flavor f ON f.id = s.flavor_id WHERE s.id = %s",
            server,
        )
        self.assertEqual(
            (vcpus, ram_mib),
            (machine.beparams["vcpus"], machine.beparams["maxmem"]),
            story,
        )
        self.assertEqual((resized or 1) * 1024, machine.disks[0]["size"], story)


class ResizeChaosTests(ChaosTests):
    """The same, with few servers that are resized most of the time."""

    length = 250
    at_first = 4
    happenings: ClassVar = {
        "a_wish": 1,
        "a_resize": 60,
        "a_lost_answer": 1,
        "deafness": 8,
        "an_operator": 1,
        "a_cut": 1,
        "a_levelling": 20,
        "a_memory": 4,
        "time": 150,
    }

    async def a_lost_answer(self) -> None:
        # After each one the submitter leaves the cluster alone for a while.
        self.ganeti.faults.next(Fault.LOSE)

    async def a_memory(self) -> None:
        """The node has little, or enough."""
        self.ganeti.machines.ram_mib = self.random.choice([600, 65_536])

    async def calm(self) -> None:
        self.ganeti.machines.ram_mib = 65_536
        await super().calm()


def _add(seed: int) -> None:
    def test(self: ChaosTests) -> Any:
        return self.chaos(seed)

    test.__doc__ = f"By the dice of seed {seed}."
    setattr(ChaosTests, f"test_{seed}", test)


for _seed in range(6):
    _add(_seed)
