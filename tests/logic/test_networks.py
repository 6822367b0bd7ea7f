"""Networks that change while clusters have them."""

from ipaddress import ip_address
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from snf.core.subnet import Route
from snf.logic.wiring import Wirer
from snf.rapi.networks import NO_GATEWAY4
from snf.storage import cluster_networks, networks, subnets
from snf.testing.ganeti import Fault
from tests.logic.test_ports import NAME, OTHER, RANGE, PortTestCase

_CHANGED = evolve(
    RANGE,
    gateway=ip_address("198.51.100.2"),
    dhcp=False,
    dns=(ip_address("192.0.2.54"), ip_address("192.0.2.55")),
    routes=(Route("10.0.0.0/8", ip_address("198.51.100.9")),),
)
_TAGS = ["snf:dns:1@192.0.2.54", "snf:dns:2@192.0.2.55", "snf:mtu:1400"]


class ChangeTests(PortTestCase):
    """A network with a server on it."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatch()
        self.layers = self.submit()
        self.server = await self.active()
        await self.attach(self.server)
        await self.rests(self.server)

    def told(self) -> dict[str, Any]:
        """Return what the cluster has of the network."""
        return self.ganeti.machines.networks[NAME].told

    async def change(self, subnet: Any = _CHANGED, **network: Any) -> None:
        """Change the network and its subnet, as the API does."""

        def change(txn: Any) -> None:
            subnets.change(txn, subnet)
            networks.change(txn, OTHER.id, network)

        await self.database.run(change)

    async def known(self) -> bool:
        """Whether no cluster is to be told anything."""
        return not await self.database.run(cluster_networks.outdated)

    async def test_all(self) -> None:
        """Gateway, MTU, DNS servers, routes and DHCP become those that they are now."""
        self.told()["tags"].append("rack:4")
        await self.change(mtu=1400)
        await self.until(self.known)
        told = self.told()
        self.assertEqual("198.51.100.2", told["gateway"])
        route = "snf:route:10.0.0.0/8@198.51.100.9"
        # What its operator has added stays.
        self.assertEqual(sorted(["rack:4", route, *_TAGS]), sorted(told["tags"]))
        self.assertEqual("198.51.100.0/24", told["network"])

    async def test_back_and_forth(self) -> None:
        """What is changed again before that is known ends as it is in the end."""
        await self.change(mtu=1400)
        await self.change(RANGE, mtu=1500)
        await self.until(self.known)
        self.assertEqual("198.51.100.1", self.told()["gateway"])
        self.assertEqual(
            ["nfdhcpd", "snf:dns:1@192.0.2.53"], sorted(self.told()["tags"])
        )

    async def test_names(self) -> None:
        """Of what only we know nobody is told anything."""
        before = self.ganeti.queue.entries.keys()
        await self.change(RANGE, name="another", description="new")
        self.assertTrue(await self.known())
        self.assertEqual(before, self.ganeti.queue.entries.keys())

    async def test_no_gateway(self) -> None:
        """One that is to be none any more is not heeded; it may come again."""
        await self.change(evolve(RANGE, gateway=None))
        await self.until(self.known)
        self.assertIn(NO_GATEWAY4, self.told()["tags"])
        await self.change(RANGE)
        await self.until(self.known)
        self.assertNotIn(NO_GATEWAY4, self.told()["tags"])
        self.assertEqual("198.51.100.1", self.told()["gateway"])

    async def test_answer_lost(self) -> None:
        """An answer that is lost, and a job that fails, are made up for."""
        self.ganeti.faults.next(Fault.LOSE, part=f"/{NAME}/modify")
        self.ganeti.spoil("OP_TAGS_SET", "the configuration is read-only")
        await self.change(mtu=1400)

        # The submitter's own clock is the reactor's: another process does it here.
        wirer = Wirer(self.clock, self.database)
        rapi = self.connections.of(await self.row())
        for _ in range(3):
            await self.tried(wirer.tell(rapi, self.cluster.id, OTHER.id))
        self.assertTrue(await self.known())
        self.assertEqual("198.51.100.2", self.told()["gateway"])
        self.assertIn("snf:mtu:1400", self.told()["tags"])

    async def tried(self, going_on: Any) -> None:
        """Let the cluster work until something has been done, or has failed."""
        done: list[Any] = []
        Deferred.fromCoroutine(going_on).addBoth(done.append)

        async def ended() -> bool:
            return bool(done)

        await self.until(ended)

    async def test_before_a_nic(self) -> None:
        """A new interface is on the network as it is now."""
        await self.layers.stopService()
        await self.change(mtu=1400)
        self.submit(claimant=2)
        await self.attach(self.server)
        await self.rests(self.server)
        self.assertIn("snf:mtu:1400", self.told()["tags"])

    async def test_removed_there(self) -> None:
        """One that somebody has removed from the cluster is made when it is needed."""
        del self.ganeti.machines.networks[NAME]
        await self.change(mtu=1400)
        await self.until(self.known)
        self.assertNotIn(NAME, self.ganeti.machines.networks)
        await self.attach(self.server)
        await self.rests(self.server)
        self.assertIn("snf:mtu:1400", self.told()["tags"])
