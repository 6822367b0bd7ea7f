"""Namespaces that play nodes, their guests, and the Internet."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen
from twisted.trial.unittest import SkipTest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "ganeti" / "network"

INTERNET4 = "203.0.113.7"
INTERNET6 = "2001:db8:ffff::7"
SUBNET4 = "198.18.1.0/24"
SUBNET6 = "2001:db8:1::/64"
ROUTER4 = "198.18.1.254"
ROUTER6 = "2001:db8:1::fffe"
TABLE = "200"

_numbers = itertools.count()


def require() -> None:
    """
    Return if this machine can have namespaces and rules.

    :raises SkipTest: It cannot.
    """
    if os.geteuid() != 0:
        raise SkipTest("needs root: run ./cloud test")
    for tool in ("ip", "nft", "bridge"):
        if shutil.which(tool) is None:
            raise SkipTest(f"{tool} is not installed: run ./cloud test")


def run(*argv: str, text: str = "", check: bool = True) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=30, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr}{text}")
    return done.stdout


@frozen
class Guest:
    """A guest of a node: a namespace whose device is the other end of a tap."""

    namespace: str
    tap: str
    mac: str
    device: str = "eth0"


@frozen
class NodeNamespace:
    """A node: a namespace, and where the program keeps what it keeps."""

    namespace: str
    directory: Path
    address: str

    def environment(self) -> dict[str, str]:
        """Return what tells the program where everything is."""
        return {
            "PATH": os.environ["PATH"],
            "SNF_NETWORK_STATE": str(self.directory / "state"),
            "SNF_NETWORK_PROFILES": str(self.directory / "profiles"),
            "SNF_NETWORK_BINDINGS": str(self.directory / "bindings"),
            "SNF_NETWORK_METADATA": str(self.directory / "metadata"),
            "SNF_NETWORK_NODES": str(self.directory / "nodes"),
            "SNF_NETWORK_TAPS": str(self.directory / "taps"),
            "SNF_NETWORK_QUEUE": str(self.directory / "queue"),
        }

    def call(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the program on the node."""
        argv = ["ip", "netns", "exec", self.namespace]
        argv += ["/usr/bin/python3", "-I", "-S", str(PROGRAM), command]
        return subprocess.run(
            argv,
            env={**self.environment(), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, variables: Mapping[str, str]) -> None:
        """Set up a NIC."""
        done = self.call("up", **variables)
        if done.returncode:
            raise AssertionError(done.stderr)

    def ip(self, *lines: str) -> None:
        """Carry out lines of ``ip -batch`` on the node."""
        batch(self.namespace, *lines)

    def state(self) -> dict[str, str]:
        """Return everything of the kernel's that the program may have changed."""
        inside = ("ip", "netns", "exec", self.namespace)
        rules = json.loads(run(*inside, "nft", "-j", "list", "ruleset"))["nftables"]
        return {
            "rules": "\n".join(sorted(json.dumps(_bare(one)) for one in rules)),
            "links": "\n".join(
                # Without their carriers, which follow a little later.
                " ".join(line.split()[0:3:2])
                for line in run("ip", "-n", self.namespace, "-br", "link").splitlines()
            ),
            **{
                f"{what}{family}": run(
                    "ip", "-n", self.namespace, f"-{family}", *command, check=False
                ).replace(" linkdown", "")
                for family in (4, 6)
                for what, command in (
                    ("rule", ("rule",)),
                    ("route", ("route", "show", "table", "all")),
                    ("proxy", ("neigh", "show", "proxy")),
                )
            },
        }


def _bare(thing: dict) -> dict:
    """Return an object of nft without what tells nothing: handles and counters."""
    [(kind, body)] = thing.items()
    body = {key: value for key, value in body.items() if key != "handle"}
    if "expr" in body:
        # Those of the rules that feed nfdhcpd count what guests ask.
        body["expr"] = [one for one in body["expr"] if "counter" not in one]
    return {kind: body}


def batch(namespace: str, *lines: str) -> None:
    """Carry out lines of ``ip -batch`` in a namespace."""
    run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")


@frozen
class Lab:
    """The Internet, with a router's link to nodes; all is gone after ``close``."""

    name: str = field(factory=lambda: f"snf{os.getpid()}-{next(_numbers)}")
    directory: Path = field(
        factory=lambda: Path(tempfile.mkdtemp(prefix="snf-network-", dir="/tmp"))
    )
    namespaces: list[str] = field(factory=list)
    nodes: list[NodeNamespace] = field(factory=list)
    guests: list[Guest] = field(factory=list)

    @property
    def internet(self) -> str:
        """The namespace of the Internet."""
        return f"{self.name}-net"

    def open(self) -> None:
        """Make the Internet."""
        self._namespace(self.internet)
        batch(
            self.internet,
            "link add link0 type bridge forward_delay 0 mcast_snooping 0",
            "link set link0 up",
            f"addr add {ROUTER4}/24 dev link0",
            f"addr add {ROUTER6}/64 dev link0 nodad",
            f"addr add {INTERNET4}/32 dev lo",
            f"addr add {INTERNET6}/128 dev lo nodad",
        )

    def close(self) -> None:
        """Remove everything."""
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def node(self) -> NodeNamespace:
        """Return a new node with an uplink to the Internet, and table 200 for it."""
        number = len(self.nodes) + 1
        namespace = f"{self.name}-n{number}"
        self._namespace(namespace)
        address = f"198.18.2.{number}"
        batch(
            namespace,
            f"link add up0 type veth peer name node{number} netns {self.internet}",
            f"addr add {address}/24 dev up0",
            "link set up0 up",
            f"route add {SUBNET4} dev up0 table {TABLE}",
            f"route add default via {ROUTER4} dev up0 onlink table {TABLE}",
            f"route add {SUBNET6} dev up0 table {TABLE}",
            f"route add default via {ROUTER6} dev up0 table {TABLE}",
        )
        batch(self.internet, f"link set node{number} master link0 up")
        directory = self.directory / f"node{number}"
        shutil.copytree(PROGRAM / "profiles", directory / "profiles")
        node = NodeNamespace(namespace, directory, address)
        self.nodes.append(node)
        lines = [f"node{at} {one.address}\n" for at, one in enumerate(self.nodes, 1)]
        for one in self.nodes:
            (one.directory / "nodes").write_text("".join(lines))
        return node

    def guest(self, node: NodeNamespace, tap: str, mac: str) -> Guest:
        """Return a new guest with a tap on a node, which is not set up."""
        namespace = f"{self.name}-g{len(self.guests)}"
        self._namespace(namespace)
        guest = Guest(namespace, tap, mac)
        self.guests.append(guest)
        self.plug(guest, node)
        return guest

    def plug(self, guest: Guest, node: NodeNamespace) -> None:
        """Give a guest, which has lost it, its device with its tap on a node."""
        batch(
            guest.namespace,
            f"link add {guest.device} address {guest.mac} type veth"
            f" peer name {guest.tap} netns {node.namespace}",
            f"link set {guest.device} up",
        )

    def unplug(self, guest: Guest, node: NodeNamespace) -> None:
        """End a tap, as the end of its guest's process does."""
        batch(node.namespace, f"link del {guest.tap}")

    def _namespace(self, name: str) -> None:
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        # Duplicate address detection would only cost time.
        batch(name, "link set lo up")
        run(
            *("ip", "netns", "exec", name, "sysctl", "-q", "-w"),
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv6.conf.all.accept_dad=0",
        )
