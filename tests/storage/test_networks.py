"""Segments and addresses, asked for by several at once."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from attrs import evolve
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from snf.core.errors import Conflict
from snf.core.network import Kind, Network, NoNetworkAvailable, Plan
from snf.storage import networks, ports
from snf.storage.database import connect
from snf.testing import world
from snf.testing.postgres import fresh_dsn

_PLAN = Plan(vxlan_ids=(10, 14))
_THEN = datetime(2026, 11, 1, tzinfo=UTC)


class RaceTests(TestCase):
    """Several at once, on connections of their own."""

    timeout = 60

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.run_in(world.make)

    def run_in(self, function: Any, *args: Any) -> Any:
        """Return what a storage function returns, in a transaction of its own."""
        connection = connect(self.dsn, None)
        try:
            with connection, connection.cursor() as txn:
                return function(txn, *args)
        finally:
            connection.close()

    def segment(self) -> int | None:
        """Make a network; return its segment, or None when there is no more."""

        def make(txn: Any) -> int | None:
            network = Network(
                uuid4(), "n", "", "", _THEN, _THEN, kind=Kind.VXLAN, mtu=0
            )
            made = networks.wired(txn, network, _PLAN)
            txn.execute("SELECT pg_sleep(0.02)")
            networks.add(txn, made)
            return made.segment

        try:
            return self.run_in(make)
        except NoNetworkAvailable:
            return None

    async def test_segments(self) -> None:
        """Each gets another one, as many as there are."""
        found = await gatherResults([deferToThread(self.segment) for _ in range(8)])
        self.assertEqual({10, 11, 12, 13, 14, None}, set(found))
        self.assertEqual(3, found.count(None))

    def test_gap(self) -> None:
        """A segment that is free again is the next one."""
        for _ in range(3):
            self.segment()
        self.run_in(
            lambda txn: txn.execute("DELETE FROM network WHERE segment IN (10, 11)")
        )
        self.assertEqual([10, 11, 13], [self.segment() for _ in range(3)])

    def address(self, number: int) -> str | None:
        """Return the address of a new port; None when there is no more."""
        network = evolve(world.NETWORK, subnets=(world.SUBNET.id,))

        def make(txn: Any) -> str:
            _, [fixed] = ports.add(
                txn,
                uuid4(),
                network,
                world.PROJECT_A.id,
                None,  # type: ignore[arg-type]
                0,
                "aa:00:00",
                lambda count: number.to_bytes(count),
            )
            txn.execute("SELECT pg_sleep(0.02)")
            return str(fixed.address)

        try:
            return self.run_in(make)
        except Conflict:
            return None

    async def test_last_address(self) -> None:
        """Of many who want the last addresses each is had once."""
        self.run_in(
            lambda txn: txn.execute("UPDATE allocation_pool SET last = '192.0.2.12'")
        )
        found = await gatherResults(
            [deferToThread(self.address, number) for number in range(8)]
        )
        self.assertEqual(5, found.count(None))
        self.assertEqual(
            {ip_address(f"192.0.2.{number}") for number in (10, 11, 12)},
            {ip_address(one) for one in found if one},
        )

    def test_freed_while_taken(self) -> None:
        """What has been freed is not had again while there are others."""
        first = [self.address(number) for number in range(5)]
        self.run_in(
            lambda txn: txn.execute(
                "DELETE FROM port p USING address a WHERE a.port_id = p.id"
                " AND a.address IN ('192.0.2.11', '192.0.2.13')"
            )
        )
        again = [self.address(number) for number in range(10, 13)]
        self.assertEqual([f"192.0.2.{n}" for n in range(10, 15)], first)
        self.assertEqual([f"192.0.2.{n}" for n in range(15, 18)], again)
