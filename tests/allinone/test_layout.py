"""The choices of an all-in-one: ports, network and names."""

import json
import sys
from ipaddress import IPv4Address
from pathlib import Path
from socket import socket
from subprocess import PIPE, Popen
from unittest import skipIf

from attrs import asdict, evolve
from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.failure import Failure
from snf.allinone.layout import (
    DEFAULT_PORT,
    MOST_NODES,
    Instance,
    Layout,
    check_nodes,
    choose,
    destination,
    for_ports,
    port_is_free,
)
from snf.allinone.scripts import CHECKOUT

STATE = Path("/var/lib/one")


def everything(_: int) -> bool:
    return True


def nothing(_: int) -> bool:
    return False


def all_but(*taken: int):
    return lambda number: number not in taken


class ChooseTests(SynchronousTestCase):
    """``choose``, at the first ``up``."""

    def test_all_free(self):
        """The API gets its usual port, every other part a port of its own."""
        chosen = choose(STATE, None, everything, everything)
        ports = [
            chosen.api_port,
            chosen.postgres_port,
            chosen.amqp_port,
            chosen.epmd_port,
            chosen.distribution_port,
        ]
        self.assertEqual(DEFAULT_PORT, chosen.api_port)
        self.assertEqual(5, len(set(ports)))

    def test_same_directory(self):
        """The same directory gets the same choices, another one others."""
        first = choose(STATE, None, everything, everything)
        self.assertEqual(first, choose(STATE, None, everything, everything))
        other = choose(Path("/var/lib/two"), None, everything, everything)
        self.assertNotEqual(first.id, other.id)

    def test_usual_port_taken(self):
        """Another port is found when nobody asked for one."""
        chosen = choose(STATE, None, all_but(DEFAULT_PORT), everything)
        self.assertNotEqual(DEFAULT_PORT, chosen.api_port)

    def test_port_asked_for(self):
        """The port asked for is taken."""
        self.assertEqual(9000, choose(STATE, 9000, everything, everything).api_port)

    def test_port_asked_for_is_taken(self):
        """A port in use is refused, in words that say what to do."""
        with self.assertRaises(Failure) as caught:
            choose(STATE, 9000, all_but(9000), everything)
        self.assertIn("--port", str(caught.exception))

    def test_taken_are_avoided(self):
        """Taken ports and networks are passed over."""
        first = choose(STATE, None, everything, everything)
        ports = all_but(first.postgres_port)
        second = choose(STATE, None, ports, all_but(first.octet))
        self.assertNotEqual(first.octet, second.octet)
        self.assertNotIn(
            first.postgres_port,
            (second.postgres_port, second.amqp_port, second.epmd_port),
        )

    def test_nothing_free(self):
        """A machine without a free port or network is refused."""
        with self.assertRaises(Failure):
            choose(STATE, None, nothing, everything)
        with self.assertRaises(Failure):
            choose(STATE, None, everything, nothing)

    def test_other_network(self):
        """Machines that share a network get other names for the same directory."""
        first = choose(STATE, None, everything, everything)
        second = choose(STATE, None, everything, all_but(first.octet))
        self.assertNotEqual(first.nodes[0].namespace, second.nodes[0].namespace)
        self.assertNotEqual(first.switch, second.switch)
        self.assertNotEqual(first.host_link, second.host_link)

    def test_names_fit_the_kernel(self):
        """An interface name has at most 15 characters, a host name 64."""
        chosen = choose(STATE, None, everything, everything)
        self.assertLessEqual(len(chosen.host_link), 15)
        self.assertLessEqual(len(chosen.nodes[0].name), 64)


class FreeTests(SynchronousTestCase):
    """What counts as free on this machine."""

    def test_port_about_to_be_used(self):
        """A port is free to who asked first, until that process ends."""
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        script = (
            "from snf.allinone.layout import port_is_free\n"
            f"print(port_is_free({port}), port_is_free({port}), flush=True)\n"
            "input()\n"
        )
        command = [sys.executable, "-c", script]
        with Popen(command, stdin=PIPE, stdout=PIPE, cwd=CHECKOUT) as other:
            self.assertEqual(b"True True\n", other.stdout.readline())
            self.assertFalse(port_is_free(port))
            other.communicate(b"\n")
        self.assertTrue(port_is_free(port))

    def test_port_in_use(self):
        """A port at which somebody listens is not free."""
        with socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.assertFalse(port_is_free(other.getsockname()[1]))

    @skipIf(sys.byteorder == "big", "the line is one of a little-endian machine")
    def test_route(self):
        """A route as the kernel writes it, here an unreachable one."""
        route = "*\t0094D50A\t00000000\t0201\t0\t0\t4278198272\t00FFFFFF\t0\t0\t0"
        self.assertEqual(IPv4Address("10.213.148.0"), destination(route))


class PortsTests(SynchronousTestCase):
    """``for_ports``, at a later ``up``."""

    def setUp(self):
        self.chosen = choose(STATE, None, everything, everything)

    def test_nothing_changed(self):
        """With all ports free, all stay."""
        self.assertEqual(self.chosen, for_ports(self.chosen, None, (), everything))

    def test_running(self):
        """A part that runs occupies its own port, which is no reason to change it."""
        used = ("api_port", "postgres_port", "amqp_port")
        self.assertEqual(self.chosen, for_ports(self.chosen, None, used, nothing))

    def test_api_port_taken(self):
        """Clients know the API's port: it is not changed silently."""
        free = all_but(self.chosen.api_port)
        with self.assertRaises(Failure) as caught:
            for_ports(self.chosen, None, (), free)
        self.assertIn("--port", str(caught.exception))

    def test_other_api_port(self):
        """Another port can be asked for while it is stopped, not while it runs."""
        expected = evolve(self.chosen, api_port=9000)
        self.assertEqual(expected, for_ports(self.chosen, 9000, (), everything))
        with self.assertRaises(Failure):
            for_ports(self.chosen, 9000, ("api_port",), everything)

    def test_inner_port_taken(self):
        """A port that nobody else knows is replaced."""
        free = all_but(self.chosen.postgres_port)
        changed = for_ports(self.chosen, None, (), free)
        self.assertTrue(free(changed.postgres_port))
        self.assertEqual(
            self.chosen, evolve(changed, postgres_port=self.chosen.postgres_port)
        )


class LayoutTests(SynchronousTestCase):
    """What is kept in the state directory."""

    def setUp(self):
        self.layout = Layout(Path(self.mktemp()))

    def test_never_up(self):
        """Nothing is known of a directory that is not there."""
        self.assertIsNone(self.layout.load())

    def test_discarded(self):
        """What was made before nothing could be chosen is deleted again."""
        self.layout.discard()
        self.layout.create()
        self.layout.discard()
        self.assertFalse(self.layout.state.exists())

    def test_somebody_elses_directory(self):
        """A directory that holds anything else is left alone."""
        self.layout.create()
        (self.layout / "thesis").touch()
        with self.assertRaises(Failure):
            self.layout.discard()
        self.assertTrue((self.layout / "thesis").exists())

    def test_kept(self):
        """What was chosen is found again."""
        self.layout.create()
        chosen = choose(self.layout.state, None, everything, everything)
        self.layout.save(chosen)
        self.assertEqual(chosen, self.layout.load())

    def test_garbage(self):
        """A file that makes no sense is a line that says what to do."""
        self.layout.create()
        for text in ("", "[]", '{"id": 1}', "null"):
            self.layout.instance_file.write_text(text)
            with self.assertRaises(Failure) as caught:
                self.layout.load()
            self.assertIn(f"delete {self.layout.state}", str(caught.exception))

    def test_one_node(self):
        """What was kept before clouds had several nodes is one of one node."""
        self.layout.create()
        kept = choose(self.layout.state, None, everything, everything)
        values = {k: v for k, v in asdict(kept).items() if k != "node_count"}
        self.layout.instance_file.write_text(json.dumps(values))
        self.assertEqual(1, self.layout.load().node_count)


class NodesTests(SynchronousTestCase):
    """The nodes of an all-in-one."""

    def test_addresses(self):
        """Nodes, cluster and host have addresses of their own in the network."""
        instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=3)
        self.assertEqual(
            ["10.213.20.1", "10.213.20.3", "10.213.20.4"],
            [str(node.address) for node in instance.nodes],
        )
        self.assertEqual("10.213.20.2", str(instance.cluster_address))
        self.assertEqual("10.213.20.254", str(instance.host_address))

    def test_below_the_servers(self):
        """However many nodes there may be, servers' addresses begin after theirs."""
        instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=MOST_NODES)
        self.assertLess(instance.nodes[-1].address, instance.network[10])

    def test_names(self):
        """No two have the same name anywhere; the first has those that it always had."""
        instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=2)
        first, second = instance.nodes
        self.assertEqual("node1.abc.cyclades.test", first.name)
        self.assertEqual(("", "cyclades-abc"), (first.suffix, first.namespace))
        self.assertEqual(
            4, len({first.namespace, second.namespace, instance.switch, ""})
        )
        for name in ("name", "suffix", "short_name"):
            self.assertNotEqual(getattr(first, name), getattr(second, name))

    def test_same_number(self):
        """Nothing to say where nobody asks for a number, or for the one that it has."""
        instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=2)
        check_nodes(instance, None)
        check_nodes(instance, 2)

    def test_other_number(self):
        """A cloud that was made keeps its nodes; the line says what to do."""
        for count, wanted in ((1, 2), (2, 1), (2, 3)):
            instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=count)
            with self.assertRaises(Failure) as caught:
                check_nodes(instance, wanted)
            self.assertRegex(str(caught.exception), rf"\b{count} nodes?:")
            self.assertIn("--state", str(caught.exception))
