"""Addresses, whatever happens: none is had twice, none leaks, none is released early.

Hypothesis has users ask for things by the API, and chooses when what of that is carried
out, whether it fails, and which news of it come when, twice, or not at all.  The site,
the database, the folding of news and the levelling are the real ones; Ganeti is a
model (``tests/logic/model.py``), which knows what addresses its nodes may have.
"""

from typing import Any, ClassVar
from uuid import UUID

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from snf.core import news
from snf.core.order import Kind, Order, State
from snf.core.report import JobReport, NicReport
from snf.core.subnet import Pool
from snf.logic.dispatcher import fold
from snf.logic.reconciler import _Findings, _level_servers
from snf.storage import firewalls, lives, networks, orders, subnets
from snf.storage.database import Transaction
from snf.storage.rows import every
from snf.testing.world import ALICE, EXTERNAL, EXTERNAL_SUBNET
from tests.api.case import SERVERS, ApiTestCase, Reply
from tests.logic.dice import CHOICES, DICE, GOOD, POOL, Dice
from tests.logic.model import Model, Plug, ports_of

V2 = "/network/v2.0"
_OPEN = tuple(state.value for state in State if state.open)


class Addresses(RuleBasedStateMachine):
    """Servers, ports and floating IPs come and go, and are put together."""

    case: ClassVar[ApiTestCase]

    def __init__(self) -> None:
        super().__init__()
        self.rehearsal = self.case.database.rehearsal()
        self.rehearsal.__enter__()
        self.model = Model()
        self.news: list[JobReport | NicReport] = []
        self.seen: list[tuple[list[int], _Findings]] = []
        [(self.cluster,)] = self.rows("SELECT id FROM cluster")

    def teardown(self) -> None:
        try:
            self.calm()
        finally:
            self.rehearsal.__exit__(None, None, None)

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.case.run_in(every, query, arguments)

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """Ask the API; it may refuse, and says so properly."""
        reply = self.case.call(method, path, body, by=ALICE)
        assert reply.code < 500, (method, path, reply.text)
        return reply

    def one(self, which: int, query: str) -> Any:
        """Return one of the ids that a query finds; None where it finds none."""
        found = [row[0] for row in self.rows(f"{query} ORDER BY 1")]
        return found[which % len(found)] if found else None

    def a(self, noun: str, which: int) -> Any:
        return self.one(which, _NOUNS[noun])

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        """Have some servers that run, and a floating IP."""
        for _ in range(count):
            self.a_server(GOOD)
        self.good_time(Dice(which=5))
        self.a_floating_ip(GOOD)

    @rule(what=st.sampled_from(CHOICES), dice=DICE)
    def something(self, what: str, dice: Dice) -> None:
        """Have one thing happen."""
        getattr(self, what)(dice)

    # What users ask for.

    def a_server(self, dice: Dice) -> None:
        """Ask for a server, on the network or on a port that is there."""
        wanted: list[Any] = [{"uuid": str(EXTERNAL.id)}] * (1 + dice.other % 2)
        port = self.a("free port", dice.which)
        if dice.old and port is not None:
            wanted[0] = {"port": str(port)}
        self.case.create(ALICE, networks=wanted)

    def an_action(self, dice: Dice) -> None:
        """Stop or start a server."""
        server = self.a("server", dice.which)
        action = ("os-stop", "os-start", "reboot")[dice.other % 3]
        asked = {"type": "HARD"} if action == "reboot" else None
        if server is not None:
            self.ask("POST", f"{SERVERS}/{server}/action", {action: asked})

    def a_deletion(self, dice: Dice) -> None:
        """Delete a server, whatever is under way with it."""
        server = self.a("server", dice.which)
        if server is not None:
            self.ask("DELETE", f"{SERVERS}/{server}")

    def a_port(self, dice: Dice) -> None:
        """Make a port, with any address or with a certain one."""
        asked: dict[str, Any] = {"network_id": str(EXTERNAL.id)}
        if dice.address is not None:
            asked["fixed_ips"] = [{"ip_address": str(dice.address)}]
        self.ask("POST", f"{V2}/ports", {"port": asked})

    def a_port_less(self, dice: Dice) -> None:
        """Delete a port, wherever it is."""
        port = self.a("port", dice.which)
        if port is not None:
            self.ask("DELETE", f"{V2}/ports/{port}")

    def an_attachment(self, dice: Dice) -> None:
        """Attach a port, or a new one."""
        where, port = self.a("server", dice.other), self.a("free port", dice.which)
        if where is None or (dice.old and port is None):
            return
        asked = {"port_id": str(port)} if dice.old else {"net_id": str(EXTERNAL.id)}
        path = f"{SERVERS}/{where}/os-interface"
        self.ask("POST", path, {"interfaceAttachment": asked})

    def a_detachment(self, dice: Dice) -> None:
        """Detach a port of a server."""
        port = self.a("used port", dice.which)
        if port is not None:
            [(server,)] = self.rows(
                "SELECT s.uuid FROM port p JOIN server s ON s.id = p.server_id"
                " WHERE p.id = %s",
                port,
            )
            self.ask("DELETE", f"{SERVERS}/{server}/os-interface/{port}")

    def a_floating_ip(self, dice: Dice) -> None:
        """Get a floating IP, any or a certain one."""
        asked = {"floating_network_id": str(EXTERNAL.id)}
        if dice.address is not None:
            asked["floating_ip_address"] = str(dice.address)
        self.ask("POST", f"{V2}/floatingips", {"floatingip": asked})

    def an_association(self, dice: Dice) -> None:
        """Have a floating IP stand for a port, which may be on a server or not."""
        one, where = self.a("floating", dice.which), self.a("port", dice.other)
        if one is not None and where is not None:
            asked = {"floatingip": {"port_id": str(where)}}
            self.ask("PUT", f"{V2}/floatingips/{one}", asked)

    def a_disassociation(self, dice: Dice) -> None:
        """Have a floating IP stand for nothing."""
        one = self.a("floating", dice.which)
        if one is not None:
            asked = {"floatingip": {"port_id": None}}
            self.ask("PUT", f"{V2}/floatingips/{one}", asked)

    def a_release(self, dice: Dice) -> None:
        """Give a floating IP back."""
        one = self.a("floating", dice.which)
        if one is not None:
            self.ask("DELETE", f"{V2}/floatingips/{one}")

    # What Ganeti makes of it.

    def a_submission(self, dice: Dice) -> None:
        """Carry orders to Ganeti; whether that could be stored, too."""

        def submit(txn: Transaction) -> None:
            for claim in orders.claim(txn, 1, self.cluster, 3, 0):
                order = claim.order
                there = order.server in self.model.machines
                if order.kind is Kind.FIREWALL and not there:
                    _refuse(txn, order, self.model.tick())
                    continue
                tags = frozenset[str]()
                if order.kind in (Kind.CREATE, Kind.FIREWALL):
                    tags = firewalls.tags(txn, [order.server])[order.server]
                job = self.model.submit(order, _plugs(txn, order), tags)
                if dice.well:
                    orders.submitted(txn, {order.id: job.id}, 1)
                else:
                    orders.put_off(txn, claim, 1, 0, "no answer", True)

        self.case.run_in(submit)

    def an_end(self, dice: Dice) -> None:
        """Have a job end somehow; news of it are on their way."""
        job = dice.of(self.model.waiting())
        if job is not None:
            self.news += self.model.end(job, dice.well, dice.hot)

    def an_operator(self, dice: Dice) -> None:
        """Restart a guest by hand."""
        running = [
            server
            for server, machine in sorted(self.model.machines.items())
            if machine.guest is not None
        ]
        if running:
            self.news.append(self.model.operate(dice.of(running)))

    def a_message(self, dice: Dice) -> None:
        """Have news arrive, in any order; they may come again."""
        if self.news:
            one = dice.of(self.news)
            self.case.run_in(fold, [one])
            if not dice.old:
                self.news.remove(one)

    def a_loss(self, dice: Dice) -> None:
        """Have news never arrive."""
        if self.news:
            self.news.remove(dice.of(self.news))

    def a_memory_less(self, dice: Dice) -> None:
        """Have Ganeti forget a job that is over."""
        over = [job.id for job in self.model.jobs.values() if job.report]
        if over:
            del self.model.jobs[dice.of(over)]

    def good_time(self, dice: Dice) -> None:
        """Have some orders carried out as they should be, with news of it."""
        for _ in range(1 + dice.which % 6):
            self.a_submission(GOOD)
            self.an_end(GOOD)
            self.nobody_else()
            while self.news:
                self.a_message(GOOD)

    # What levelling makes of it.

    def a_look(self, _dice: Dice) -> None:
        """Begin to level: ask what there is."""
        servers, awaited = self.case.run_in(self._known)
        listing, time = self.model.listing(), self.model.tick()
        ended: dict[int, list[JobReport]] = {}
        for job in self.model.jobs.values():
            if job.id in awaited and job.report is not None:
                ended.setdefault(job.order.server, []).append(job.report)
        lost = {number for number in awaited if number not in self.model.jobs}
        findings = _Findings(time, listing, ended, lost, set())
        self.seen.append((list(servers), findings))

    def _known(self, txn: Transaction) -> tuple[dict[int, bool], dict[int, int]]:
        return lives.on_cluster(txn, self.cluster), orders.awaiting(txn, self.cluster)

    def a_levelling(self, _dice: Dice) -> None:
        """Level by what was seen, which may be out of date by now."""
        if self.seen:
            self.case.run_in(_level_servers, *self.seen.pop())

    # What is always so.

    @invariant()
    def nobody_else(self) -> None:
        """What nodes may have is stored as just that, and is on one node only."""
        fixed = dict(
            self.rows(
                "SELECT host(address), port_id FROM address WHERE port_id IS NOT NULL"
            )
        )
        for address, port in self.model.fixed():
            assert fixed.get(address) == port, f"{address} was released by {port}"
        floating = {
            one
            for (one,) in self.rows(
                "SELECT host(address) FROM address WHERE floating_ip_id IS NOT NULL"
            )
        }
        for address, nodes in self.model.floating().items():
            assert nodes == 1, f"{address} is on {nodes} nodes"
            assert address in floating, f"{address} was released"

    @invariant()
    def nothing_lost(self) -> None:
        """An address is somebody's, or it can be found; its history says the same."""
        lost = self.rows(
            "SELECT host(it.address) FROM subnet s,"
            " unnest(%s::inet[]) it (address) WHERE s.id = %s"
            " AND s.offered IS NOT NULL AND it.address <= s.offered"
            " AND NOT EXISTS (SELECT FROM address a"
            "  WHERE a.subnet_id = s.id AND a.address = it.address)"
            " AND NOT EXISTS (SELECT FROM free_address f"
            "  WHERE f.subnet_id = s.id AND f.address = it.address)",
            [str(address) for address in POOL],
            EXTERNAL_SUBNET.id,
        )
        assert not lost, lost
        owned = self.rows("SELECT * FROM address_owner ORDER BY address")
        noted = self.rows(
            "SELECT address, subnet_id, network_id, project_id, user_id, server,"
            " port_id, floating_ip_id FROM address_history WHERE until IS NULL"
            " ORDER BY address"
        )
        assert owned == noted, (owned, noted)

    def calm(self) -> None:
        """Have all asked for end well: then nothing is held, whatever comes late."""
        self._settle()
        for noun, path in (
            ("floating", f"{V2}/floatingips"),
            ("free port", f"{V2}/ports"),
            ("server", SERVERS),
        ):
            for (one,) in self.rows(_NOUNS[noun]):
                assert self.ask("DELETE", f"{path}/{one}").code == 204
        self._settle()
        for (one,) in self.rows(_NOUNS["port"]):
            assert self.ask("DELETE", f"{V2}/ports/{one}").code == 204
        while self.news:
            self.a_message(GOOD)
        for table in ("address", "floating_ip", "port"):
            assert not self.rows(f"SELECT * FROM {table}"), table
        for _ in POOL:
            asked = {"floating_network_id": str(EXTERNAL.id)}
            reply = self.ask("POST", f"{V2}/floatingips", {"floatingip": asked})
            assert reply.code == 201, reply.text

    def _settle(self) -> None:
        self.seen.clear()
        for _ in range(200):
            self.nobody_else()
            self.a_submission(GOOD)
            self.an_end(GOOD)
            if self.model.waiting():
                continue
            self.a_look(GOOD)
            self.a_levelling(GOOD)
            if not self.rows("SELECT 1 FROM orders WHERE state IN %s", _OPEN):
                return
        raise AssertionError("it does not come to rest")


_NOUNS = {
    "server": "SELECT uuid FROM server WHERE deleted IS NULL",
    "port": "SELECT id FROM port",
    "free port": "SELECT id FROM port WHERE server_id IS NULL",
    "used port": "SELECT id FROM port WHERE server_id IS NOT NULL",
    "floating": "SELECT id FROM floating_ip WHERE deleted IS NULL",
}


def _plugs(txn: Transaction, order: Order) -> dict[UUID, Plug]:
    """Return the NICs that an order is about, with all that their ports have."""
    rows = every(
        txn,
        "SELECT p.id, p.mac::text, ARRAY(SELECT host(a.address) FROM address a"
        " WHERE a.port_id = p.id) FROM port p WHERE p.id = ANY(%s)",
        (ports_of(order),),
    )
    return {port: Plug(mac, frozenset(addresses)) for port, mac, addresses in rows}


def _refuse(txn: Transaction, order: Order, time: float) -> None:
    before = lives.load(txn, [order.server])
    after = {
        server: news.refuse(life, one, "Instance not found", time)
        for server, life in before.items()
        for one in life.orders
        if one.id == order.id
    }
    lives.save(txn, before, after)


class AddressTests(ApiTestCase):
    """The whole keeps its promises about addresses."""

    def test_whatever(self) -> None:
        """Whatever the order of what is asked, carried out, told and lost."""
        self.run_in(networks.add, EXTERNAL)
        pools = (Pool(POOL[0], POOL[-1]),)
        self.run_in(subnets.add, evolve(EXTERNAL_SUBNET, pools=pools))
        self.token(ALICE)
        kind = type("Addresses", (Addresses,), {"case": self})
        run_state_machine_as_test(
            kind,
            settings=settings(
                max_examples=30,
                stateful_step_count=60,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
