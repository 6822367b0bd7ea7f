"""Guests' way to the metadata service of their node, at the address that they know.

The service is one socket of the node's.  Guests of different networks may have the same
addresses, so a packet to the service is given the address of its tap on its way in, and
an answer the guest's own on its way out: whom it is from is said by the tap that it
came through, whatever the guest claims.  That address is made of the tap's number, and
is one of those that nobody has (RFC 1112, 4: 240.0.0.0/4).

The mark leads such packets to the node, on which nothing else has the service's address:
neither the node's own way to it nor other hosts' is changed.
"""

import os
from ipaddress import IPv4Address
from pathlib import Path

ADDRESS = "169.254.169.254"
INSIDE = "240.0.0.0/4"
MARK = "0x40000000"
TABLE = "101"
"""The routing table that has the service's address."""

GUESTS = "100"
"""The routing table with the addresses of this node's guests: see routes.py."""

# What a guest may send in a second, and how often it may begin a connection.
_PACKETS = 500
_BEGUN = 20

_FIRST = (
    f"?rule add pref 900 fwmark {MARK} lookup {TABLE}",
    f"?rule add pref 1000 lookup {GUESTS}",
    f"route replace local {ADDRESS} dev lo table {TABLE}",
)

# Before anything of the kernel's looks at a packet: nobody else speaks for a tap.  What
# is told to one leaves by no other port of its bridge.
BASE = f"""\
add rule inet snf zones ip saddr {INSIDE} meta mark != {MARK} counter drop
add rule inet snf zones meta mark {MARK} notrack accept
add chain inet snf answers {{ type filter hook output priority -300; policy accept; }}
flush chain inet snf answers
add rule inet snf answers ip saddr {ADDRESS} ip daddr {INSIDE} notrack
add set bridge snf told {{ typeof ip daddr . oifname; }}
add chain bridge snf answers {{ type filter hook output priority -300; policy accept; }}
flush chain bridge snf answers
add rule bridge snf answers ip saddr {ADDRESS} ip daddr {INSIDE}\
 ip daddr . oifname != @told counter drop
"""

LET_IN = f"meta mark {MARK} tcp dport 80 accept"
"""What lets a guest that the node routes for reach the service."""


def offered(nic):
    """Whether a NIC has a way to the service: its address is known here.

    On a private network that is so where nfdhcpd lends it; elsewhere its members have
    what addresses they like, and perhaps a service of their own.
    """
    return bool(nic.address) and (nic.routed or nic.leased)


def inside(nic):
    """Return the address that the service knows a NIC by, as long as it has its tap."""
    return str(IPv4Address("240.0.0.0") + nic.number % 2**28)


def sent(nic, bridge_mac):
    """Yield rules of what comes from a NIC's tap, before all others."""
    if not offered(nic):
        return
    asks = f"ip daddr {ADDRESS} tcp dport 80"
    own = f"ether saddr {nic.mac}"
    # On a bridge the frame goes to the node, whatever router the guest believes in.
    here = f"ether daddr set {bridge_mac} " if bridge_mac else ""
    taken = f"{here}meta mark set {MARK} accept"
    yield f"ip daddr {ADDRESS} {_over(_PACKETS)}"
    yield f"{asks} tcp flags & (syn | ack) == syn {_over(_BEGUN)}"
    yield f"{own} ip saddr {nic.address} {asks} ip saddr set {inside(nic)} {taken}"
    yield f"ip daddr {ADDRESS} counter drop"
    yield (
        f"{own} arp operation request arp saddr ether {nic.mac} arp saddr ip"
        f" {nic.address} arp daddr ip {ADDRESS} {_over(_BEGUN)}"
    )
    yield (
        f"{own} arp operation request arp saddr ether {nic.mac} arp saddr ip"
        f" {nic.address} arp daddr ip {ADDRESS} arp saddr ip set {inside(nic)} {taken}"
    )
    # Nobody else is the service.
    yield f"arp saddr ip {ADDRESS} counter drop"
    yield f"ip saddr {ADDRESS} counter drop"


def received(nic):
    """Yield rules of what goes to a NIC's tap."""
    if offered(nic):
        answer, own = f"ip saddr {ADDRESS} ip daddr {inside(nic)}", nic.address
        yield f"{answer} ip daddr set {own} accept"
        yield f"ip saddr {ADDRESS} counter drop"
        yield (
            f"arp operation reply arp saddr ip {ADDRESS}"
            f" arp daddr ip {inside(nic)} arp daddr ip set {own} accept"
        )


def told(nic):
    """Return what is in the set of those who are told something on bridges; or ""."""
    if nic.routed or not offered(nic):
        return ""
    return f'{inside(nic)} . "{nic.tap}"'


def up(nic):
    """Return lines for ``ip -batch`` by which the node finds a NIC."""
    if not offered(nic):
        return []
    device = nic.tap if nic.routed else nic.link
    # A bridge that is down takes no routes.
    return [
        *_FIRST,
        f"?route replace {inside(nic)} dev {device} table {GUESTS}",
        f"?neigh replace {inside(nic)} lladdr {nic.mac} dev {device} nud permanent",
    ]


def down(nic):
    """Return lines that end that; a tap takes its own with it."""
    if not offered(nic) or nic.routed:
        return []
    known = f"{inside(nic)} dev {nic.link}"
    # As in routes.py: one that is to be removed has to be there.
    return [
        f"?route del {known} table {GUESTS}",
        f"?neigh replace {inside(nic)} lladdr {nic.mac} dev {nic.link} nud permanent",
        f"?neigh del {known}",
    ]


def write(nic, directory):
    """Write the file that tells snf-noded whose a tap is, by rename."""
    if not offered(nic):
        remove(nic, directory)
        return
    path = Path(directory) / nic.tap
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)  # Ganeti's daemons let nobody else read
    new = path.with_name(f".{nic.tap}.new")
    new.write_text(f"NUMBER={nic.number}\nINSTANCE={nic.instance}\n", "utf-8")
    new.chmod(0o644)
    os.rename(new, path)


def remove(nic, directory):
    """Remove the file of a NIC, if it has one."""
    (Path(directory) / nic.tap).unlink(missing_ok=True)


def _over(rate):
    return f"limit rate over {rate}/second burst {3 * rate} packets counter drop"
