"""The guests' screens: reachable for the API on this machine, and for no guest."""

from ipaddress import IPv4Network
from pathlib import Path

from snf.allinone.machine import Machine

ANYWHERE = "0.0.0.0"
"""Where QEMU's VNC servers listen on a node; one setting is for all nodes."""

# Ganeti lib/constants.py, FIRST_DRBD_PORT and LAST_DRBD_PORT: it takes ports from there.
_PORTS = "11000-14999"


def shut(machine: Machine, nodes: IPv4Network) -> None:
    """
    Let a node's screens be reached from the network of the nodes only.

    :raises Failure: The kernel refuses.
    """
    chain = "inet cyclades screens"
    lines = (
        "add table inet cyclades",
        f"add chain {chain} {{ type filter hook input priority -10; policy accept; }}",
        f"flush chain {chain}",
        f"add rule {chain} tcp dport {_PORTS} ip saddr != {nodes} counter drop",
        f"add rule {chain} tcp dport {_PORTS} meta nfproto ipv6 counter drop",
    )
    machine.namespace.run("screens: rules", ["nft", "; ".join(lines)])


def show_screens(master: Machine, done: Path) -> None:
    """
    Have the guests of a cluster that is older than this show their screens.

    They do from their next start on.

    :param done: A file that is there once that has been asked for.
    :raises Failure: Ganeti does not take it.
    """
    if done.exists():
        return
    command = ["gnt-cluster", "modify", "-H", f"kvm:vnc_bind_address={ANYWHERE}"]
    master.namespace.run("Ganeti: showing screens", command)
    done.touch()
