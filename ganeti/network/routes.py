"""What the node's routing and links have to be for a NIC: lines for ``ip -batch``.

A line that begins with ``?`` may fail: what it removes is perhaps not there, or what it
adds is there already.
"""

import metadata
from metadata import GUESTS

# Before everything else but the node's own addresses, so that the node finds its guests
# whatever the main table says.
_FIRST = f"?rule add pref 1000 lookup {GUESTS}"

# The guest's gateway, the same on all nodes: a guest that has moved keeps its neighbors.
GATEWAY_MAC = "ee:ee:ee:ee:ee:ee"
GATEWAY6 = "fe80::1"

VXLAN_PORT = 4789
VXLAN_MTU = 1450
"""What is left of 1500 bytes, in bytes: outer Ethernet, IPv4, UDP and VXLAN take 50."""


def up(nic):
    """Return what a routed NIC needs, by family: 4 and 6."""
    families = link(nic)
    for family, lines in reached(nic).items():
        families[family] += lines
    return families


def link(nic):
    """Return what a routed NIC needs to send, and to speak with its node."""
    tap = nic.tap
    families = {
        4: [
            _FIRST,
            f"link set {tap} addrgenmode none",
            f"link set {tap} address {GATEWAY_MAC} up",
        ],
        6: [_FIRST, f"addr replace {GATEWAY6}/64 dev {tap} nodad"],
    }
    for lines in families.values():
        lines.append(f"?rule add pref 2000 iif {tap} lookup {nic.link}")
    families[4] += metadata.up(nic)
    return families


def reached(nic):
    """Return what a routed NIC needs to be reached at its addresses, on this node."""
    families = {4: [], 6: []}
    for address in nic.addresses:
        lines = families[_family(address)]
        lines.append(f"route replace {address} dev {nic.tap} table {GUESTS}")
        lines.append(f"neigh replace proxy {address} dev {nic.uplink}")
    return families


def down(nic):
    """Return what removes all that ``up`` made, by family."""
    families = without(nic, nic.addresses)
    for lines in families.values():
        lines.append(f"?rule del pref 2000 iif {nic.tap} lookup {nic.link}")
    return families


def without(nic, addresses):
    """Return what removes some of its addresses, by family."""
    families = {4: [], 6: []}
    for address in addresses:
        lines = families[_family(address)]
        lines.append(f"?route del {address} dev {nic.tap} table {GUESTS}")
        # ip ends, even if told to go on, where it cannot remove one (iproute2 6.1,
        # ip/ipneigh.c): so it has to be there.
        proxy = f"proxy {address} dev {nic.uplink or 'lo'}"
        lines += [f"?neigh replace {proxy}", f"?neigh del {proxy}"]
    return families


def bridged(nic):
    """Return what makes a tap a port of its bridge."""
    # A bridge takes the lowest MAC address of its ports for its own: with a high one a
    # tap does not change it, and nobody has to learn the node's anew.
    lines = [f"link set {nic.tap} address fe{nic.mac[2:]}"]
    if nic.mtu:
        lines.append(f"link set {nic.tap} mtu {nic.mtu}")
    lines.append(f"link set {nic.tap} master {nic.link} up")
    return lines + metadata.up(nic)


def lasting(bridge, mac):
    """
    Return what has a bridge keep the MAC address that it has.

    One whose only ports are taps would take that of a tap: the rules let pass what comes
    from the bridge by its address, and nfdhcpd answers from it.
    """
    return [f"link set {bridge} address {mac}"]


def vxlan(bridge, segment, local, underlay):
    """
    Return what makes the bridge of a VXLAN network, whether it is there or not.

    :param local: This node's own address, which frames are sent from.
    :param underlay: The device that has it.
    """
    return [
        f"?link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"?link add {tunnel(segment)} type vxlan id {segment} local {local}"
        f" dev {underlay} dstport {VXLAN_PORT}",
        f"link set {tunnel(segment)} mtu {VXLAN_MTU} master {bridge} up",
        f"link set {bridge} mtu {VXLAN_MTU} up",
    ]


def without_vxlan(bridge, segment):
    """Return what removes the bridge of a VXLAN network."""
    return [f"?link del {tunnel(segment)}", f"?link del {bridge}"]


def tunnel(segment):
    """Return the name of the VXLAN device of a segment."""
    return f"snft{segment}"


def _family(address):
    return 6 if ":" in address else 4
