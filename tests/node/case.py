"""A node with guests, as each of these tests has it to itself."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.node.lab import (
    ROUTER4,
    SUBNET4,
    SUBNET6,
    TABLE,
    Guest,
    Lab,
    NodeNamespace,
    batch,
    require,
    run,
)

PUBLIC = "ip-less-routed public nfdhcpd"


class NodeTestCase(SynchronousTestCase):
    """One node, the Internet, and as many guests as a test asks for."""

    def setUp(self) -> None:
        require()
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.open()
        self.node = self.lab.node()
        self.sockets: list[socket.socket] = []
        self.addCleanup(lambda: [one.close() for one in self.sockets])

    def kept(self, opened: socket.socket) -> socket.socket:
        """Return a socket that is closed when the test ends."""
        self.sockets.append(opened)
        return opened

    def routed(
        self, number: int, *tags: str, node: NodeNamespace | None = None
    ) -> Guest:
        """Return a guest on the public network, set up and with its addresses."""
        node = node or self.node
        guest = self.lab.guest(node, f"tap{number}", mac(number))
        node.up(self.public(guest, number, *tags))
        batch(
            guest.namespace,
            f"addr add {address4(number)}/24 dev eth0",
            f"route add default via {ROUTER4}",
            # The guest may have heard of both from nfdhcpd, in tests that have it.
            f"addr replace {address6(number)}/128 dev eth0 nodad",
            "route replace default via fe80::1 dev eth0",
        )
        return guest

    def public(self, guest: Guest, number: int, *tags: str) -> dict[str, str]:
        """Return what Ganeti says of the NIC of a guest on the public network."""
        return {
            **self.variables(guest, number, *tags),
            "IP": address4(number),
            "MODE": "routed",
            "LINK": TABLE,
            "NETWORK_NAME": "snf-net-public",
            "NETWORK_SUBNET": SUBNET4,
            "NETWORK_GATEWAY": ROUTER4,
            "NETWORK_SUBNET6": SUBNET6,
            "NETWORK_TAGS": PUBLIC,
        }

    def private(
        self, guest: Guest, number: int, bridge: str, network_tags: str, *tags: str
    ) -> dict[str, str]:
        """Return what Ganeti says of the NIC of a guest on a private network."""
        return {
            **self.variables(guest, number, *tags),
            "MODE": "bridged",
            "LINK": bridge,
            "BRIDGE": bridge,
            "NETWORK_NAME": "snf-net-private",
            "NETWORK_TAGS": network_tags,
        }

    def variables(self, guest: Guest, number: int, *tags: str) -> dict[str, str]:
        """Return what Ganeti says of any NIC; ``tags`` are the instance's."""
        return {
            "INTERFACE": guest.tap,
            "INTERFACE_INDEX": "0",
            "INTERFACE_NAME": nic_name(number),
            "INTERFACE_UUID": f"uuid-{number}",
            "INSTANCE": f"snf-{number}",
            "MAC": guest.mac,
            "TAGS": " ".join(tags),
        }

    def refresh(self, number: int, *tags: str) -> None:
        """Have the node follow an instance's present tags, as the hook does."""
        done = self.node.call(
            "refresh",
            GANETI_INSTANCE_NAME=f"snf-{number}",
            GANETI_INSTANCE_TAGS=" ".join(tags),
        )
        self.assertEqual("", done.stderr)

    def bridge(self, name: str) -> None:
        """Make a bridge on the node, as its operator does."""
        self.node.ip(
            f"link add {name} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {name} up",
        )

    def rules_of(self, family: str, table: str) -> str:
        """Return a table of the node as nft prints it; "" where it is not there."""
        return run(
            *("ip", "netns", "exec", self.node.namespace),
            *("nft", "list", "table", family, table),
            check=False,
        )


def mac(number: int) -> str:
    """Return the MAC address of a guest."""
    return f"aa:00:00:00:00:{number:02x}"


def address4(number: int) -> str:
    """Return a guest's address on the public network."""
    return f"198.18.1.{number}"


def address6(number: int) -> str:
    """Return the address that a guest makes itself on the public network."""
    return f"2001:db8:1:0:a800:ff:fe00:{number:x}"


def nic_name(number: int) -> str:
    """Return the name of a guest's NIC at Ganeti."""
    return f"snf-nic-port{number}"


def profile(number: int, word: str) -> str:
    """Return the tag that gives a guest's NIC a profile."""
    return f"synnefo:network:{nic_name(number)}:{word}"
