"""What one all-in-one is called and where its things are.

Chosen once, at its first ``up``, and kept in ``instance.json``, so that several run
side by side and each finds its own things again.
"""

import hashlib
import json
import shutil
import socket
import sys
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from snf.allinone.failure import Failure
from snf.allinone.files import write

DEFAULT_PORT = 8774
MOST_NODES = 3
"""Memory ends before addresses do: below the servers' there is room for eight."""

_PORTS = range(20_000, 30_000)
_OCTETS = range(20, 250)
_DIRECTORIES = ("log", "run", "secrets")


@frozen
class Instance:
    """The choices of one all-in-one.

    ``octet`` is N of its networks 10.213.N.0/24 and 198.18.N.0/24.  ``kvm`` is whether hardware KVM
    serves; None while nobody has tried.  ``demo`` is whether Ganeti is simulated.
    ``node_count`` is of how many nodes the cluster is.
    """

    id: str
    octet: int
    api_port: int
    postgres_port: int
    amqp_port: int
    epmd_port: int
    distribution_port: int
    kvm: bool | None = None
    demo: bool = False
    node_count: int = 1

    @property
    def network(self) -> IPv4Network:
        """The network of the nodes."""
        return _networks(self.octet)[0]

    @property
    def public4(self) -> IPv4Network:
        """The guests' public network: of the addresses for benchmarks (RFC 2544)."""
        return _networks(self.octet)[1]

    @property
    def public6(self) -> IPv6Network:
        """The same of IPv6: local addresses, by chance nobody else's (RFC 4193)."""
        chance = hashlib.sha256(self.id.encode()).hexdigest()
        words = (f"fd{chance[:2]}", chance[2:6], chance[6:10], f"{self.octet:x}")
        return IPv6Network(f"{':'.join(words)}::/64")

    @property
    def nodes(self) -> "tuple[Node, ...]":
        """The Ganeti nodes."""
        return tuple(Node(self, number + 1) for number in range(self.node_count))

    @property
    def cluster_address(self) -> IPv4Address:
        """The cluster's own address, which Ganeti adds to its master."""
        return self.network[2]

    @property
    def host_address(self) -> IPv4Address:
        """The host's end."""
        return self.network[254]

    @property
    def domain(self) -> str:
        """What the names inside end in."""
        return f"{self.id}.cyclades.test"

    @property
    def cluster_name(self) -> str:
        """The Ganeti cluster's name."""
        return f"cluster.{self.domain}"

    @property
    def switch(self) -> str:
        """The name of the network namespace that connects them."""
        return f"cyclades-{self.id}-net"

    @property
    def host_link(self) -> str:
        """The host's network interface to it (at most 15 characters)."""
        return f"cyh-{self.id}"


@frozen
class Node:
    """One node of the cluster, by its number from 1: what it is called, and where.

    The first one goes without a number in what is ours, for mostly it is the only one.
    """

    instance: Instance
    number: int

    @property
    def is_first(self) -> bool:
        """Whether the cluster began with it."""
        return self.number == 1

    @property
    def suffix(self) -> str:
        """What the names of its files and processes end in."""
        return "" if self.is_first else f"-{self.number}"

    @property
    def short_name(self) -> str:
        """Its host name without the domain."""
        return f"node{self.number}"

    @property
    def name(self) -> str:
        """What Ganeti calls it."""
        return f"{self.short_name}.{self.instance.domain}"

    @property
    def address(self) -> IPv4Address:
        """Where its daemons listen; the second address is the cluster's."""
        return self.instance.network[1 if self.is_first else self.number + 1]

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return f"cyclades-{self.instance.id}{self.suffix}"


@frozen
class Layout:
    """The paths below a state directory."""

    state: Path

    def __truediv__(self, name: str) -> Path:
        return self.state / name

    @property
    def log(self) -> Path:
        """What ``up`` ran, and what that printed."""
        return self.state / "log" / "up.log"

    def secret(self, name: str) -> Path:
        """Return the file that holds a secret."""
        return self.state / "secrets" / name

    @property
    def instance_file(self) -> Path:
        """Where the choices are kept."""
        return self.state / "instance.json"

    def load(self) -> Instance | None:
        """
        Return what was chosen; None when this was never up.

        :raises Failure: The file does not make sense.
        """
        try:
            return Instance(**json.loads(self.instance_file.read_text()))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise Failure(f"{self.state} is not yours: use sudo") from None
        except (ValueError, TypeError):
            raise Failure(
                f"{self.instance_file} is damaged: delete {self.state}, then up"
            ) from None

    def save(self, instance: Instance) -> None:
        """Keep the choices."""
        write(self.instance_file, json.dumps(asdict(instance), indent=1) + "\n", 0o644)

    def create(self) -> None:
        """Make the state directory; other users may pass through it, not look."""
        for name in ("", *_DIRECTORIES):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o711)
        (self / "secrets").chmod(0o711)

    def discard(self) -> None:
        """
        Delete what ``create`` made, where nothing was chosen afterwards.

        :raises Failure: There is more than that.
        """
        if not self.state.exists():
            return
        if {path.name for path in self.state.iterdir()} - set(_DIRECTORIES):
            raise Failure(f"{self.state} holds no cloud: nothing was deleted")
        shutil.rmtree(self.state)


def choose(
    state: Path,
    port: int | None,
    free_port: Callable[[int], bool],
    free_octet: Callable[[int], bool],
) -> Instance:
    """
    Return the choices of a new all-in-one.

    They follow from the state directory's path where what follows is free, so that
    the same directory tends to get the same names.

    :raises Failure: The port that is asked for is taken, or nothing is free.
    """
    digest = hashlib.sha256(str(state).encode()).digest()
    if port is not None and not free_port(port):
        raise Failure(f"port {port} is in use: choose another with --port")
    wanted = [DEFAULT_PORT] if port is None else [port]
    start = int.from_bytes(digest[:4])
    ports = _first(wanted, free_port, 1) or []
    several = [
        _PORTS[(start + step) % len(_PORTS)]
        for step in range(200)
        if _PORTS[(start + step) % len(_PORTS)] not in ports
    ]
    ports += _first(several, free_port, 5 - len(ports))
    octets = [_OCTETS[(start + step) % len(_OCTETS)] for step in range(len(_OCTETS))]
    octet = _first(octets, free_octet, 1)
    if len(ports) < 5 or not octet:
        raise Failure("no free port or no free network 10.213.N.0/24 on this machine")
    return Instance(
        # With the network in it, for that is what no other all-in-one has: containers
        # that share a network may all keep their state at the same path.
        id=f"{octet[0]:02x}{digest.hex()[:4]}",
        octet=octet[0],
        api_port=ports[0],
        postgres_port=ports[1],
        amqp_port=ports[2],
        epmd_port=ports[3],
        distribution_port=ports[4],
    )


def for_ports(
    instance: Instance,
    port: int | None,
    used: Collection[str],
    free_port: Callable[[int], bool],
) -> Instance:
    """
    Return the choices with ports that can be used now.

    :param port: The API port that is asked for, if one is.
    :param used: Names of the ports at which our own parts run; these stay.
    :raises Failure: Something else listens on the API's port.
    """
    if port not in (None, instance.api_port) and "api_port" in used:
        raise Failure(f"it runs at port {instance.api_port}: ./cloud down first")
    if "api_port" not in used:
        wanted = port or instance.api_port
        if not free_port(wanted):
            raise Failure(f"port {wanted} is in use: choose another with --port")
        instance = evolve(instance, api_port=wanted)
    for name, others in (
        ("postgres_port", ()),
        ("amqp_port", ("epmd_port", "distribution_port")),
    ):
        for each in (name, *others) if name not in used else ():
            if not free_port(getattr(instance, each)):
                change: dict[str, Any] = {each: _another(instance, free_port)}
                instance = evolve(instance, **change)
    return instance


def check_nodes(instance: Instance, wanted: int | None) -> None:
    """
    Return if a cloud that was made has as many nodes as are asked for, if any are.

    :raises Failure: It has not: a cluster neither grows nor shrinks here.
    """
    if wanted not in (None, instance.node_count):
        number = instance.node_count
        raise Failure(
            f"this cloud has {number} node{'' if number == 1 else 's'}: "
            "./cloud down --purge first, or choose another --state"
        )


def _another(instance: Instance, free_port: Callable[[int], bool]) -> int:
    taken = set(asdict(instance).values())
    choices = [port for port in _PORTS if port not in taken]
    [found] = _first(choices, free_port, 1)
    return found


def port_is_free(port: int) -> bool:
    """Return whether nothing uses, or is about to use, a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return _claim(f"port {port}")


def octet_is_free(octet: int) -> bool:
    """Return whether no route leads into the networks of N, nor is about to."""
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    networks = _networks(octet)
    return not any(
        destination(route) in network for route in routes for network in networks
    ) and _claim(f"network {networks[0]}")


def destination(route: str) -> IPv4Address:
    """Return where a line of /proc/net/route leads; "unreachable" ones are there too."""
    # Eight hexadecimal digits of a number that is stored in network order.
    number = int(route.split()[1], 16)
    return IPv4Address(number.to_bytes(4, sys.byteorder))


def _networks(octet: int) -> tuple[IPv4Network, IPv4Network]:
    """Return the network of the nodes and the public one."""
    return (
        IPv4Network(f"10.213.{octet}.0/24"),
        IPv4Network(f"198.18.{octet}.0/24"),
    )


_claims: dict[str, socket.socket] = {}


def _claim(what: str) -> bool:
    """
    Return whether this process may have something, which then no other one may.

    Between choosing a port and using it packages may have to be installed, while
    another all-in-one chooses.  A claim is a name among the abstract Unix sockets of
    this network; the kernel drops it when the process ends.
    """
    if what not in _claims:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0cyclades-allinone {what}")
        except OSError:
            claim.close()
            return False
        _claims[what] = claim
    return True


def _first(choices: list[int], free: Callable[[int], bool], count: int) -> list[int]:
    found: list[int] = []
    for choice in choices:
        if len(found) == count:
            break
        if free(choice):
            found.append(choice)
    return found
