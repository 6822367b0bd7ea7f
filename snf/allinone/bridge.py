"""A network namespace with a bridge in it, and the cables between such."""

import subprocess
from pathlib import Path

from attrs import frozen

from snf.allinone.process import clean_environment, run

BRIDGE = "gnt0"


@frozen
class Bridge:
    """The bridge in a network namespace.  ``log`` gets what is run, and what that says."""

    namespace: str
    log: Path

    def make(self) -> None:
        """Make the namespace and the bridge.

        :raises Failure: The kernel refuses, or the namespace is there already.
        """
        ip(self.log, "netns", "add", self.namespace)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", BRIDGE, "up", "type", "bridge")

    def remove(self) -> None:
        """Delete both, if they are there."""
        attempt("ip", "netns", "del", self.namespace)

    def is_there(self) -> bool:
        """Return whether it is complete."""
        return attempt("ip", "-n", self.namespace, "link", "show", BRIDGE)

    def has(self, port: str) -> bool:
        """
        Return whether a cable is plugged in.

        The kernel takes a deleted namespace apart in its own time: an end whose other
        end was there can be seen for a while yet.
        """
        return f" {port}@" in self.ip("link", "show", "master", BRIDGE)

    def plug(self, port: str) -> None:
        """Make an interface of the namespace one of the bridge's ports.

        It comes last, since by this a cable is known to be complete.
        """
        self.ip("link", "set", port, "up", "master", BRIDGE)

    def peer(self, port: str) -> tuple[str, ...]:
        """Return what ``ip link add`` needs to put the other end of a cable here."""
        return ("type", "veth", "peer", port, "netns", self.namespace)

    def ip(self, *words: str) -> str:
        """Return what ip(8) prints, inside."""
        return ip(self.log, "-n", self.namespace, *words)


def connect(one: Bridge, port: str, other: Bridge, its_port: str) -> None:
    """Have a cable between a port of one bridge and one of another."""
    if one.has(port) and other.has(its_port):
        return
    attempt("ip", "-n", one.namespace, "link", "del", port)
    attempt("ip", "-n", other.namespace, "link", "del", its_port)
    other.ip("link", "add", its_port, *one.peer(port))
    other.plug(its_port)
    one.plug(port)


def ip(log: Path, *words: str) -> str:
    """Return what ip(8) prints.

    :raises Failure: It fails.
    """
    return run(["ip", *words], log, "setting up the network", timeout_s=10)


def attempt(*command: str) -> bool:
    """Return whether a command succeeds; it may well not."""
    done = subprocess.run(
        command, capture_output=True, env=clean_environment(), check=False
    )
    return done.returncode == 0
