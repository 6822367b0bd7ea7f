"""Where screens are, and connections to them, while servers move and clusters fail."""

from collections.abc import Sequence
from typing import Any

from attrs import define
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.api.compute.consoles import Forwarding, Place
from snf.console.node import NodeSettings
from snf.core.errors import Conflict, Unavailable
from snf.rapi.displays import Display
from snf.rapi.errors import Unreachable
from snf.storage import clusters
from snf.tap.screens import NodeEnds
from snf.testing import world
from snf.testing.postgres import shared_database
from snf.testing.screen import Screen

_HOST = "127.0.0.1"


@define
class _Cluster:
    """A cluster that tells one thing after another, the last one again and again."""

    told: list[Display | None]

    def of(self, cluster: object) -> "_Cluster":
        return self

    async def display(self, name: str) -> Display | None:
        if not self.told:
            raise Unreachable("no route to host")
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


class ScreenTests(TestCase):
    """``NodeEnds``."""

    timeout = 60

    async def setUp(self) -> None:
        self.database: Any = shared_database(self)
        await self.database.run(world.make)
        [found] = await self.database.run(clusters.listing)
        self.cluster = found.id
        self.shown: list[Screen] = []
        self.ports = [self._listen() for _ in range(2)]

    def _listen(self) -> int:
        listening = Factory()
        listening.noisy = False
        listening.buildProtocol = self._made  # type: ignore[method-assign,assignment]
        port: Any = reactor.listenTCP(0, listening, interface=_HOST)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def _made(self, address: object) -> Screen:
        self.shown.append(Screen())
        return self.shown[-1]

    def ends(self, told: Sequence[Display | None], **more: Any) -> NodeEnds:
        """Return the ends on a cluster that tells these things."""
        cluster: Any = _Cluster(list(told))
        settings = NodeSettings(connect_s=2.0, attempts=1)
        return NodeEnds(reactor, self.database, cluster, "snf", settings, **more)

    def at(self, number: int) -> Display:
        """Return a display at one of the ports."""
        return Display(f"node{number}", _HOST, self.ports[number])

    async def gone(self, screen: Screen) -> None:
        """Wait until nobody looks at a screen any more."""
        while not screen.lost:
            await deferLater(reactor, 0.01)

    async def test_reached(self) -> None:
        """It is where Ganeti says."""
        peer = await self.ends([self.at(0)]).screen(self.cluster, 7)
        [screen] = self.shown
        self.assertFalse(screen.lost)
        peer.abort()
        await self.gone(screen)

    async def test_moved(self) -> None:
        """One that has been moved meanwhile is let go, and found at its new place."""
        told = [self.at(0), self.at(1)]
        peer = await self.ends(told).screen(self.cluster, 7)
        former, now = self.shown
        await self.gone(former)
        self.assertFalse(now.lost)
        peer.abort()
        await self.gone(now)

    async def test_moving(self) -> None:
        """One that is moved again and again is let go."""
        told = [self.at(number) for number in (0, 1, 1, 0)]
        with self.assertRaises(Unavailable) as caught:
            await self.ends(told).screen(self.cluster, 7)
        self.assertIn("being moved", str(caught.exception))
        for screen in self.shown:
            await self.gone(screen)

    async def test_away_afterwards(self) -> None:
        """What cannot be made sure of is let go."""
        told: list[Display | None] = [self.at(0), None]
        with self.assertRaises(Conflict):
            await self.ends(told).screen(self.cluster, 7)
        await self.gone(self.shown[0])

    async def test_nowhere(self) -> None:
        """No instance, no display, none to be reached, nobody there, nobody who knows."""
        for told, refusal in (
            ([None], Conflict),
            ([Display("node1", "192.0.2.1", None)], Conflict),
            ([Display("node1", "", 11_000)], Unavailable),
            ([Display("node1", _HOST, 1)], Unavailable),
            ([], Unavailable),
        ):
            with self.assertRaises(refusal) as caught:
                await self.ends(told).screen(self.cluster, 7)
            # Where nodes are is no business of users.
            for secret in (_HOST, "192.0.2.1", "no route"):
                self.assertNotIn(secret, str(caught.exception))

    async def test_switched_off(self) -> None:
        """A cluster that is not to be called is not."""
        await self.database.run(clusters.set_use, self.cluster, None, True)
        with self.assertRaises(Unavailable):
            await self.ends([self.at(0)]).screen(self.cluster, 7)
        self.assertEqual([], self.shown)

    async def test_forwarded(self) -> None:
        """A port is asked for again where the server has moved meanwhile."""
        asked: list[tuple[Place, str]] = []

        async def forward(place: Place, way: str) -> Forwarding:
            asked.append((place, way))
            return Forwarding("proxy.test", 25_000 + len(asked), "secret")

        told = [self.at(0), self.at(1)]
        found = await self.ends(told, forward_by=forward).forward(
            self.cluster, 7, "vnc"
        )
        self.assertEqual(25_002, found.port)
        places = [Place(_HOST, port) for port in self.ports]
        self.assertEqual([(place, "vnc") for place in places], asked)

    async def test_no_line(self) -> None:
        """Where serial lines are not offered, none is opened."""
        with self.assertRaises(Unavailable):
            await self.ends([]).serial(self.cluster, 7)
