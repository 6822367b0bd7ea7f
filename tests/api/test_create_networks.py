"""``POST /servers``: the networks that a new server is on, and its addresses."""

from ipaddress import ip_address
from uuid import UUID, uuid4

from attrs import evolve

from snf.api.compute.build import Builder
from snf.core.subnet import Pool
from snf.storage import networks, subnets
from snf.testing.world import ALICE, BOB, NETWORK, PROJECT_A, SUBNET
from tests.api.case import SERVERS, ApiTestCase


class NetworkTests(ApiTestCase):
    """The networks that a new server is on."""

    def addresses(self, server: str) -> list[str]:
        """Return a server's addresses."""
        shown = self.shown(server)["addresses"]
        return [address["addr"] for place in shown.values() for address in place]

    def another(self, owner: UUID | None = None, **changes) -> str:
        """Store another network with a subnet, and return its id."""
        network = evolve(
            NETWORK,
            id=uuid4(),
            name="other",
            project=owner,
            is_default=False,
            **changes,
        )
        subnet = evolve(
            SUBNET,
            id=uuid4(),
            network=network.id,
            cidr="198.51.100.0/24",
            pools=(Pool(ip_address("198.51.100.5"), ip_address("198.51.100.6")),),
            gateway=None,
        )
        self.run_in(networks.add, network)
        self.run_in(subnets.add, subnet)
        return str(network.id)

    def test_default(self) -> None:
        """Without a wish it is on the default network; its addresses go in turn."""
        found = [self.addresses(self.server())[0] for _ in range(3)]
        self.assertEqual(["192.0.2.10", "192.0.2.11", "192.0.2.12"], found)

    def test_several_defaults(self) -> None:
        """On all that are default ones, with an address of each subnet that there is."""
        bare = evolve(NETWORK, id=uuid4(), name="bare", is_default=True)
        self.run_in(networks.add, bare)
        other = self.another(shared=True)
        self.sql("UPDATE network SET is_default = true WHERE id = %s", other)
        six = evolve(
            SUBNET,
            id=uuid4(),
            cidr="2001:db8::/64",
            pools=(Pool(ip_address("2001:db8::10"), ip_address("2001:db8::20")),),
            gateway=None,
        )
        self.run_in(subnets.add, six)
        server = self.server()
        self.assertEqual(
            sorted(["192.0.2.10", "198.51.100.5", "2001:db8::10"]),
            sorted(self.addresses(server)),
        )
        ports = self.sql("SELECT network_id FROM port ORDER BY position")
        self.assertEqual(sorted([(NETWORK.id,), (bare.id,), (UUID(other),)]), ports)

    def test_used_again_last(self) -> None:
        """An address that has become free is not given out while others are unused."""
        first, _second = self.server(), self.server()
        self.call("DELETE", f"{SERVERS}/{first}", by=ALICE)
        self.assertEqual(["192.0.2.12"], self.addresses(self.server()))

    def test_none(self) -> None:
        """A server may be on no network."""
        self.assertEqual([], self.addresses(self.server(networks="none")))

    def test_left_to_us(self) -> None:
        """An empty list of networks is no wish, and so the default network."""
        for wish in ([], "auto", None):
            self.assertEqual(1, len(self.addresses(self.server(networks=wish))))

    def test_two(self) -> None:
        """On two networks the interfaces are in the order asked for."""
        other = self.another(shared=True)
        server = self.server(networks=[{"uuid": other}, {"uuid": str(NETWORK.id)}])
        shown = self.shown(server)["addresses"]
        self.assertEqual(["198.51.100.5"], [a["addr"] for a in shown["other"]])
        self.assertEqual(["192.0.2.10"], [a["addr"] for a in shown["default"]])
        self.assertEqual(
            [(0, UUID(other)), (1, NETWORK.id)],
            self.sql("SELECT position, network_id FROM port ORDER BY position"),
        )

    def test_own(self) -> None:
        """A project's own network is for its servers, and not for those of others."""
        own = self.another(PROJECT_A.id, shared=False)
        self.server(networks=[{"uuid": own}])
        reply = self.create(BOB, networks=[{"uuid": own}])
        self.assertEqual(400, reply.code)
        self.assertEqual(
            f"server.networks: Network {own} could not be found.", reply.message
        )

    def test_exhausted(self) -> None:
        """Without a free address it is a 409, and nothing is left half made."""
        other = self.another(shared=True)
        wish = [{"uuid": str(NETWORK.id)}, {"uuid": other}]
        self.server(networks=wish)
        self.server(networks=wish)
        before = self.contents()
        reply = self.create(networks=wish)
        self.assertEqual(409, reply.code, reply.text)
        self.assertIn("No more IP addresses available", reply.message)
        self.assertEqual(before, self.contents())

    def contents(self) -> list:
        """Return how many rows of all that a server needs there are."""
        return [
            self.sql(f"SELECT count(*) FROM {table}")
            for table in ("server", "orders", "port", "address", "server_metadata")
        ]

    def test_mac_taken(self) -> None:
        """A MAC address that is taken is not used twice."""
        given = iter([b"\0\0\1", b"\0\0\1", b"\0\0\2"])
        self.builder = Builder(lambda _: next(given))
        self.site = self.new_site()
        self.server()
        self.server()
        macs = self.sql("SELECT mac::text FROM port ORDER BY mac")
        self.assertEqual([("aa:00:00:00:00:01",), ("aa:00:00:00:00:02",)], macs)
