"""Addresses, whatever happens: none is had twice, none leaks, none is released early.

What is asked for and what comes of it are drawn by chance.  A model of the nodes has
the addresses that they may answer for: those of their instances, and the floating IPs
in the instances' tags, as they were before and after each order under way.
"""

import contextlib
from collections import Counter
from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

from attrs import define, evolve, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import Conflict
from snf.core.order import Build, Kind, Order, State
from snf.core.server import Life, Observed, ask_to_delete, with_order
from snf.core.subnet import Pool
from snf.storage import (
    addresses,
    firewalls,
    floating_ips,
    holders,
    lives,
    networks,
    orders,
    ports,
    servers,
    subnets,
)
from snf.storage.database import Transaction
from snf.storage.rows import every
from snf.testing import world
from snf.testing.postgres import InlineDatabase, shared_database
from snf.testing.world import EXTERNAL, EXTERNAL_SUBNET, PROJECT_A

# So few that they are gone now and then.
_POOL = [EXTERNAL_SUBNET.pools[0].first + number for number in range(6)]
_BUILD = Build(1, 128, 1, "file", "os")


@define
class Machine:
    """What a node has of a server: its own addresses, and the floating ones in tags.

    :ivar jobs: By an order's id the tags of its job at Ganeti, which has not ended.
    """

    own: set[str] = field(factory=set)
    tags: frozenset[str] = frozenset()
    jobs: dict[UUID, frozenset[str]] = field(factory=dict)

    def may_answer_for(self) -> set[str]:
        """Return the addresses that the node may have at this moment."""
        tags = self.tags.union(*self.jobs.values())
        floating = {tag.split(":", 3)[3].partition("@")[0] for tag in tags}
        return self.own | floating


class Addresses(RuleBasedStateMachine):
    """Servers come and go, floating IPs are got, moved and given back."""

    database: InlineDatabase
    made = Bundle("made")
    floating = Bundle("floating")

    def __init__(self) -> None:
        super().__init__()
        self.rehearsal = self.database.rehearsal()
        self.rehearsal.__enter__()
        self.machines: dict[int, Machine] = {}
        self.count = 0

    def teardown(self) -> None:
        try:
            self.calm()
        finally:
            self.rehearsal.__exit__(None, None, None)

    def run_in(self, function: Any, *args: Any) -> Any:
        results: list[Any] = []
        work = Deferred.fromCoroutine(self.database.run(function, *args))
        work.addBoth(results.append)
        [result] = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.run_in(every, query, arguments)

    @initialize()
    def begin(self) -> None:
        """Have an external network with few addresses."""
        self.run_in(networks.add, EXTERNAL)
        pools = (Pool(_POOL[0], _POOL[-1]),)
        self.run_in(subnets.add, evolve(EXTERNAL_SUBNET, pools=pools))
        [(self.cluster,)] = self.rows("SELECT id FROM cluster")

    @rule(target=made, nics=st.integers(1, 2))
    def a_server(self, nics: int) -> Any:
        """Ask for a server, for which there may be no addresses."""
        try:
            return self.run_in(self._server, nics)
        except Conflict:
            return multiple()

    def _server(self, txn: Transaction, nics: int) -> int:
        server = servers.add(
            txn,
            servers.NewServer(
                uuid=uuid4(),
                project=PROJECT_A.id,
                user=world.ALICE.id,
                name="web",
                flavor=world.SMALL.id,
                image=world.TINY.id,
                cluster=self.cluster,
                metadata={},
            ),
        )
        network = evolve(EXTERNAL, subnets=(EXTERNAL_SUBNET.id,))
        for position in range(nics):
            self.count += 1
            octets = self.count.to_bytes(3, "big")
            ports.add(
                txn,
                uuid4(),
                network,
                PROJECT_A.id,
                server,
                position,
                "aa:00:00",
                lambda _size, octets=octets: octets,
            )
        order = Order(uuid4(), server, Kind.CREATE, build=_BUILD)
        orders.add(txn, order, self.cluster, "req-1")
        return server

    @rule(server=made, kind=st.sampled_from([Kind.STOP, Kind.DELETE, Kind.DELETE]))
    def a_wish(self, server: int, kind: Kind) -> None:
        """Ask something of a server."""

        def ask(txn: Transaction) -> None:
            before = lives.load(txn, [server])
            if server not in before:
                return
            order = Order(uuid4(), server, kind)
            add = ask_to_delete if kind is Kind.DELETE else with_order
            after = add(before[server], order)
            if order in after.orders:
                orders.add(txn, order, self.cluster, "req-2")
            lives.save(txn, before, {server: after})

        self.run_in(ask)

    @rule(target=floating, which=st.none() | st.sampled_from(_POOL))
    def a_floating_ip(self, which: Any) -> Any:
        """Get any floating IP, or a certain one."""
        new = uuid4()

        def get(txn: Transaction) -> None:
            owner = (PROJECT_A.id, world.ALICE.id, EXTERNAL.id)
            floating_ips.add(txn, floating_ips.New(new, *owner))
            holder = addresses.Holder(floating_ip=new)
            if which is None:
                addresses.take_any(txn, EXTERNAL_SUBNET.id, holder)
            else:
                addresses.take(txn, EXTERNAL_SUBNET.id, which, holder)

        try:
            self.run_in(get)
        except Conflict:
            return multiple()
        return new

    @rule(one=floating, server=made, nic=st.integers(0, 1))
    def an_association(self, one: UUID, server: int, nic: int) -> None:
        """Have a floating IP stand for an address of a server."""
        known = self.rows(
            "SELECT p.id, host(a.address) FROM port p JOIN address a ON a.port_id = p.id"
            " WHERE p.server_id = %s ORDER BY p.position",
            server,
        )
        if not known:
            return
        port, fixed = known[nic % len(known)]

        def associate(txn: Transaction) -> None:
            told = floating_ips.associate(txn, one, port, ip_address(fixed))
            holders.follow(txn, told, "req-3")

        with contextlib.suppress(Conflict):
            self.run_in(associate)

    @rule(one=floating)
    def a_disassociation(self, one: UUID) -> None:
        """Have a floating IP stand for nothing."""
        self.run_in(self._disassociate, one)

    @rule(one=consumes(floating))
    def a_release(self, one: UUID) -> None:
        """Give a floating IP back."""
        self.run_in(self._release, one)

    def _disassociate(self, txn: Transaction, one: UUID) -> None:
        holders.follow(txn, floating_ips.disassociate(txn, one), "req-4")

    def _release(self, txn: Transaction, one: UUID) -> None:
        self._disassociate(txn, one)
        floating_ips.remove(txn, one)

    @rule(stored=st.booleans())
    def a_submission(self, stored: bool) -> None:
        """Carry an order to Ganeti; whether that could be stored, too."""

        def submit(txn: Transaction) -> None:
            for claim in orders.claim(txn, 1, self.cluster, 1, 0):
                order = claim.order
                machine = self.machines.setdefault(order.server, Machine())
                if order.id not in machine.jobs:
                    machine.jobs[order.id] = self._tags(txn, order, machine)
                if stored:
                    self.count += 1
                    orders.submitted(txn, {order.id: self.count}, 1)
                else:
                    orders.put_off(txn, claim, 1, 0, "no answer", True)

        self.run_in(submit)

    def _tags(self, txn: Transaction, order: Order, machine: Machine) -> frozenset[str]:
        if order.kind is Kind.CREATE:
            rows = every(
                txn,
                "SELECT host(a.address) FROM address a JOIN port p ON p.id = a.port_id"
                " WHERE p.server_id = %s",
                (order.server,),
            )
            machine.own = {address for (address,) in rows}
        if order.kind in (Kind.CREATE, Kind.FIREWALL):
            return firewalls.tags(txn, [order.server])[order.server]
        return machine.tags

    @rule(which=st.integers(0, 5), succeeds=st.sampled_from([True, True, True, False]))
    def an_end(self, which: int, succeeds: bool) -> None:
        """Have a job end, either way, and tell of it."""
        self._end(which, succeeds)

    def _end(self, which: int, succeeds: bool) -> bool:
        submitted = self.rows(
            "SELECT id, server_id FROM orders WHERE state = 'submitted' ORDER BY number"
        )
        if not submitted:
            return False
        which, server = submitted[which % len(submitted)]

        def end(txn: Transaction) -> None:
            before = lives.load(txn, [server])
            after = before[server]
            for order in before[server].orders:
                if order.id == which:
                    after = self._ended(after, order, succeeds)
            lives.save(txn, before, {server: after})

        self.run_in(end)
        return True

    def _ended(self, life: Life, order: Order, succeeds: bool) -> Life:
        machine = self.machines[order.server]
        tags = machine.jobs.pop(order.id)
        # What fails may have added some, and removed none.
        machine.tags = tags if succeeds else machine.tags | tags
        rest = tuple(
            one.ended(None if succeeds else "it failed") if one.id == order.id else one
            for one in life.orders
        )
        observed = life.observed
        if succeeds and order.kind is Kind.CREATE:
            observed = Observed.UP
        if succeeds and order.kind is Kind.DELETE:
            observed = Observed.GONE
            del self.machines[order.server]
        return evolve(life, orders=rest, observed=observed)

    @rule(steps=st.integers(1, 4))
    def good_time(self, steps: int) -> None:
        """Have orders submitted and carried out as they should be."""
        for _ in range(steps):
            self.a_submission(True)
            self._end(0, True)
            self.nobody_else()

    @rule()
    def a_levelling(self) -> None:
        """Compare what nodes have with what they are to have, where all is quiet."""
        self.run_in(self._level)

    def _level(self, txn: Transaction) -> None:
        known = lives.look(txn, self.machines)
        resting = {
            server: self.machines[server].tags
            for server, life in known.items()
            if not life.orders and life.observed is Observed.UP
        }
        astray = holders.unsettled(txn, resting).union(firewalls.astray(txn, resting))
        holders.follow(txn, sorted(astray))

    @invariant()
    def nobody_else(self) -> None:
        """What a node may answer for is its server's, and no other node's."""
        had = Counter(
            address
            for machine in self.machines.values()
            for address in machine.may_answer_for()
        )
        self.assert_equal([], [one for one, times in had.items() if times > 1])
        taken = {one for (one,) in self.rows("SELECT host(address) FROM address")}
        self.assert_equal(set(), set(had) - taken)

    @precondition(lambda self: hasattr(self, "cluster"))
    @invariant()
    def nothing_lost(self) -> None:
        """An address is somebody's, or it can be found; its history says the same."""
        lost = self.rows(
            "SELECT host(%s::inet + n) FROM generate_series(0, %s) n, subnet s"
            " WHERE s.id = %s AND (s.offered IS NOT NULL AND %s::inet + n <= s.offered)"
            " AND NOT EXISTS (SELECT FROM address a"
            "  WHERE a.subnet_id = s.id AND a.address = %s::inet + n)"
            " AND NOT EXISTS (SELECT FROM free_address f"
            "  WHERE f.subnet_id = s.id AND f.address = %s::inet + n)",
            str(_POOL[0]),
            len(_POOL) - 1,
            EXTERNAL_SUBNET.id,
            *[str(_POOL[0])] * 3,
        )
        self.assert_equal([], lost)
        self.assert_equal(
            self.rows("SELECT * FROM address_owner ORDER BY address"),
            self.rows(
                "SELECT address, subnet_id, network_id, project_id, user_id, server,"
                " port_id, floating_ip_id FROM address_history WHERE until IS NULL"
                " ORDER BY address"
            ),
        )

    def assert_equal(self, wanted: Any, found: Any) -> None:
        assert wanted == found, f"{found} instead of {wanted}"

    def calm(self) -> None:
        """Have all asked for end well: then what is gone holds nothing."""
        if not hasattr(self, "cluster"):
            return
        for (one,) in self.rows("SELECT id FROM floating_ip WHERE deleted IS NULL"):
            self.run_in(self._release, one)
            self.nobody_else()
        self._settle()
        # What never came to be is deleted, too.
        for (server,) in self.rows("SELECT id FROM server WHERE deleted IS NULL"):
            self.a_wish(server, Kind.DELETE)
        self._settle()
        self.assert_equal([], self.rows("SELECT host(address) FROM address"))
        self.assert_equal([], self.rows("SELECT id FROM floating_ip"))
        for _ in _POOL:
            assert self.a_floating_ip(None) != multiple()

    def _settle(self) -> None:
        for _ in range(200):
            self.nobody_else()
            self.a_submission(True)
            if self._end(0, True):
                continue
            self.a_levelling()
            if not self.rows("SELECT 1 FROM orders WHERE state IN %s", _OPEN):
                return
        raise AssertionError("it does not come to rest")


_OPEN = tuple(state.value for state in State if state.open)


class IpamTests(SynchronousTestCase):
    """The database keeps its promises about addresses."""

    def test_whatever(self) -> None:
        """Whatever the order of what is asked, carried out, and fails."""
        database = shared_database(self)
        self.successResultOf(Deferred.fromCoroutine(database.run(world.make)))
        self.successResultOf(Deferred.fromCoroutine(database.run(_no_quota)))
        kind = type("Addresses", (Addresses,), {"database": database})
        run_state_machine_as_test(
            kind,
            settings=settings(
                max_examples=30,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


def _no_quota(txn: Transaction) -> None:
    txn.execute("DELETE FROM quota_usage")
