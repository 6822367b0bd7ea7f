"""snf-network: sets up NICs of Ganeti's instances on a node, and takes them down.

Commands:

up       Set up the NIC that Ganeti describes in the environment; what the same tap was
         set up for before is taken down first.
refresh  Give the instance in a hook's environment the firewall and the floating
         addresses of its present tags; then as gc.
follow   Before the instance in a hook's environment is migrated to this node: leave a
         process behind that takes its routed NICs over as soon as it runs here.
gc       Take down what was set up for taps that are gone.
restore  Set up everything again that is set up, after somebody has flushed the rules.
list     Print what is set up.

Whatever fails says why on standard error, leaves nothing half made, and exits with 1.
Standard library only, Python 3.10 or later, and iproute2 and nftables.
"""

import os
import sys

import follow
from applied import Applied, Busy
from kernel import Failed
from nic import Invalid
from node import Node

STATE = "/run/snf-network"
PROFILES = "/etc/snf-network/profiles"
BINDINGS = "/var/lib/nfdhcpd"
ASKING = "/run/snf-metadata"
NODES = "/var/lib/ganeti/ssconf_node_primary_ips"
TAPS = "/var/run/ganeti/kvm-hypervisor/nic"
QUEUE = "/var/lib/ganeti/queue"


def main(arguments, environment):
    """Carry out one command."""
    node = Node(
        Applied(environment.get("SNF_NETWORK_STATE", STATE)),
        environment.get("SNF_NETWORK_PROFILES", PROFILES),
        environment.get("SNF_NETWORK_BINDINGS", BINDINGS),
        environment.get("SNF_NETWORK_NODES", NODES),
        environment.get("SNF_NETWORK_METADATA", ASKING),
    )
    command = arguments[0] if len(arguments) == 1 else ""
    if command == "up":
        node.up(environment)
    elif command == "refresh":
        node.refresh(environment)
    elif command == "follow":
        follow.leave_behind(
            node,
            environment,
            environment.get("SNF_NETWORK_TAPS", TAPS),
            environment.get("SNF_NETWORK_QUEUE", QUEUE),
        )
    elif command == "gc":
        node.collect()
    elif command == "restore":
        node.restore()
    elif command == "list":
        for nic in node.applied.all():
            print(nic.tap, nic.instance, nic.environment["INTERFACE_NAME"], nic.address)
    else:
        raise Invalid(f"usage: snf-network {'|'.join(COMMANDS)}")


COMMANDS = ("up", "refresh", "follow", "gc", "restore", "list")


if __name__ == "__main__":
    try:
        main(sys.argv[1:], os.environ)
    except (Invalid, Failed, Busy, OSError) as problem:
        print(f"snf-network: {problem}", file=sys.stderr)
        sys.exit(1)
