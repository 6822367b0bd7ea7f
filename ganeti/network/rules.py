"""The nftables rules of NICs, as text for ``nft -f``.

Two layers.  In the table ``netdev snf`` two chains for each tap say what its guest may
send and what may be sent to it at the level of frames.  One table ``inet snf`` has the
firewall: a packet on its way to a tap is given the tap's number as a mark, by the table
``bridge snf`` for bridged taps, and the mark leads to the NIC's own chain.  So one set
of stateful profiles serves routed and bridged taps.

Every text may be loaded again and again, and is one transaction.  There are few tables,
since nft asks the kernel for each before it changes anything.
"""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import metadata
from nic import DHCP, PREFIX_MASK, Invalid

# Neighbor and router discovery (RFC 4890, 4.3.1): without it there is no IPv6.
_DISCOVERY = (
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
    " nd-neighbor-advert, mld-listener-query } accept"
)

# What nfdhcpd is asked, and how often a guest may in a second.
_ASKED_OFTEN = (
    ("udp dport { 67, 547 }", 100),
    ("icmpv6 type nd-router-solicit", 100),
    ("icmpv6 type nd-neighbor-solicit", 1000),
)

# Connections are told apart by their bridge, since private networks may have the same
# addresses.  The bridge's mark has to be there before the inet chain looks at it.  To
# the node itself guests may send no more than what they need to reach others.
_BASE = f"""\
add table inet snf
add map inet snf mark_of {{ typeof oifname : meta mark; }}
add map inet snf zone_of {{ typeof iifname : ct zone; }}
add map inet snf chain_of {{ type mark : verdict; }}
add chain inet snf zones {{ type filter hook prerouting priority -300; policy accept; }}
flush chain inet snf zones
add chain inet snf marks {{ type filter hook forward priority -10; policy accept; }}
flush chain inet snf marks
add rule inet snf marks meta mark set oifname map @mark_of
add chain inet snf guests {{ type filter hook forward priority 0; policy accept; }}
flush chain inet snf guests
add rule inet snf guests meta mark vmap @chain_of
add set inet snf taps {{ typeof iifname; }}
add chain inet snf tunnels
add chain inet snf from_guest
flush chain inet snf from_guest
add rule inet snf from_guest {metadata.LET_IN}
add rule inet snf from_guest ct state established,related accept
add rule inet snf from_guest meta l4proto {{ icmp, ipv6-icmp }} accept
add rule inet snf from_guest udp dport {{ 67, 547 }} accept
add rule inet snf from_guest counter drop
add chain inet snf node {{ type filter hook input priority 0; policy accept; }}
flush chain inet snf node
add rule inet snf node iifname @taps jump from_guest
add rule inet snf node udp dport 4789 jump tunnels
add table bridge snf
add map bridge snf mark_of {{ typeof oifname : meta mark; }}
add chain bridge snf marks {{ type filter hook forward priority -300; policy accept; }}
flush chain bridge snf marks
add rule bridge snf marks meta mark set oifname map @mark_of
{metadata.BASE}\
add rule inet snf zones ct zone set iifname map @zone_of
add table netdev snf
add table ip snf
add map ip snf fixed_of {{ type ipv4_addr : ipv4_addr; }}
add map ip snf floating_of {{ type ipv4_addr : ipv4_addr; }}
add chain ip snf arriving {{ type nat hook prerouting priority -100; policy accept; }}
flush chain ip snf arriving
add rule ip snf arriving dnat to ip daddr map @fixed_of
add chain ip snf leaving {{ type nat hook postrouting priority 100; policy accept; }}
flush chain ip snf leaving
add rule ip snf leaving snat to ip saddr map @floating_of
"""

# The protocols that have ports.
_PORTED = ("tcp", "udp", "sctp", "udplite", "dccp")


def up(nic, profiles, bridge_mac, peers=None):
    """
    Return what gives a NIC its rules, whether it has some already or not.

    :param profiles: The directory of the profiles.
    :param bridge_mac: The MAC address of its bridge, which speaks for the node; or "".
    :param peers: The addresses of the nodes whose VXLAN frames are let in from now on,
        and nobody else's; None leaves that as it is.
    :raises Invalid: Its tags cannot be followed.
    """
    lines = [_BASE, _frames(nic, bridge_mac), _firewall(nic, Path(profiles))]
    lines += [] if peers is None else _tunnels(peers)
    lines.append(f'add element {_marks(nic)} {{ "{nic.tap}" : {nic.number} }}')
    lines.append(
        f"add element inet snf chain_of {{ {nic.number} : jump {_chain(nic)} }}"
    )
    if nic.routed:
        lines.append(f'add element inet snf taps {{ "{nic.tap}" }}')
    if nic.zone:
        lines.append(f'add element inet snf zone_of {{ "{nic.link}" : {nic.zone} }}')
    if told := metadata.told(nic):
        lines.append(f"add element bridge snf told {{ {told} }}")
    for floating, fixed in nic.floating:
        lines.append(f"add element ip snf fixed_of {{ {floating} : {fixed} }}")
        lines.append(f"add element ip snf floating_of {{ {fixed} : {floating} }}")
    return "\n".join(lines) + "\n"


def down(nic, last):
    """
    Return what takes a NIC its rules, whether it has them or not.

    :param last: Whether it was the last one of ours on its bridge.
    """
    chain = _chain(nic)
    lines = [_BASE, f"add chain inet snf {chain}", *_without_frames(nic)]
    lines += _without(_marks(nic), f'"{nic.tap}"', nic.number)
    lines += _without("inet snf chain_of", nic.number, f"jump {chain}")
    if nic.routed:
        lines += _without("inet snf taps", f'"{nic.tap}"')
    if told := metadata.told(nic):
        lines += _without("bridge snf told", told)
    if nic.zone and last:
        lines += _without("inet snf zone_of", f'"{nic.link}"', nic.zone)
    lines += [f"flush chain inet snf {chain}", f"delete chain inet snf {chain}"]
    return "\n".join(lines) + "\n" + without_floating(nic.floating)


def without_floating(pairs):
    """Return what ends the translation of floating addresses to fixed ones."""
    lines = [_BASE]
    for floating, fixed in pairs:
        lines += _without("ip snf fixed_of", floating, fixed)
        lines += _without("ip snf floating_of", fixed, floating)
    return "\n".join(lines) + "\n"


def without_tunnels():
    """Return what lets VXLAN's frames in again, for whoever else uses the port."""
    return f"{_BASE}flush chain inet snf tunnels\n"


def _tunnels(peers):
    # A guest could otherwise send frames to any private network, packed as a node does.
    yield "flush chain inet snf tunnels"
    for word, version in (("ip", 4), ("ip6", 6)):
        known = sorted(one for one in peers if ip_address(one).version == version)
        if known:
            sources = ", ".join(known)
            yield f"add rule inet snf tunnels {word} saddr {{ {sources} }} accept"
    yield "add rule inet snf tunnels counter drop"


def _without(where, key, value=None):
    # What is not there cannot be deleted.
    whole = key if value is None else f"{key} : {value}"
    yield f"add element {where} {{ {whole} }}"
    yield f"delete element {where} {{ {key} }}"


def _frames(nic, bridge_mac):
    """Return the chains of the NIC's tap, anew."""
    lines = [*_without_frames(nic)]
    sent, received = _frame_chains(nic)
    strict = nic.only_own_addresses
    head = f'device "{nic.tap}" priority -300; policy {"drop" if strict else "accept"};'
    lines.append(f"add chain {sent} {{ type filter hook ingress {head} }}")
    own = _own_addresses(nic) if strict else _own_mac(nic)
    asking = (*metadata.sent(nic, bridge_mac), *_asked_often(nic))
    lines += [f"add rule {sent} {rule}" for rule in (*asking, *own)]
    heard = (*metadata.received(nic), *_own_network(nic, bridge_mac))
    if heard:
        head = f'device "{nic.tap}" priority -300; policy accept;'
        lines.append(f"add chain {received} {{ type filter hook egress {head} }}")
        lines += [f"add rule {received} {rule}" for rule in heard]
    return "\n".join(lines)


def _without_frames(nic):
    """Return what removes the chains of the NIC's tap, which went with it or not."""
    for chain in _frame_chains(nic):
        yield f"add chain {chain}"
        yield f"flush chain {chain}"
        yield f"delete chain {chain}"


def _asked_often(nic):
    """Return the rules that keep a guest from asking nfdhcpd more than anybody needs.

    All guests' questions are in the same queues: what one floods them with, others lose.
    """
    if DHCP in nic.network_tags:
        for asked, rate in _ASKED_OFTEN:
            yield f"{asked} limit rate over {rate}/second burst {rate} packets counter drop"


def _own_network(nic, bridge_mac):
    """Return the rules that let nothing reach a NIC but its own network's frames."""
    if nic.filtered:
        if bridge_mac:
            yield f"ether saddr {bridge_mac} accept"
        yield f"ether saddr & {PREFIX_MASK} != {_masked(nic.mac)} counter drop"


def _own_mac(nic):
    """Return the rules that let pass whatever is from the NIC's MAC address."""
    yield f"ether saddr != {nic.mac} counter drop"
    yield f"ether type arp arp saddr ether != {nic.mac} counter drop"


def _own_addresses(nic):
    """Return the rules that let nothing pass but what is from the NIC's addresses."""
    yield f"ether saddr != {nic.mac} counter drop"
    # A guest is nobody's DHCP server and nobody's router here.
    yield "udp sport { 67, 547 } counter drop"
    yield "icmpv6 type nd-router-advert counter drop"
    if nic.address:
        yield (
            f"ether type arp arp saddr ether {nic.mac}"
            f" arp saddr ip {{ {nic.address}, 0.0.0.0 }} accept"
        )
        yield f"ether type ip ip saddr {nic.address} accept"
        yield (
            "ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255"
            " udp sport 68 udp dport 67 accept"
        )
    sources = [nic.link_local, *([nic.address6] if nic.address6 else [])]
    yield f"ether type ip6 ip6 saddr {{ {', '.join(sources)} }} accept"
    yield (
        "ip6 saddr :: icmpv6 type"
        " { nd-neighbor-solicit, nd-router-solicit, mld2-listener-report } accept"
    )
    yield "counter"


def _firewall(nic, profiles):
    """Return the NIC's own chain, and the profile's that it leads to."""
    chain, lines = _chain(nic), []
    rules = list(nic.rules)
    word = nic.profile or ("rules" if rules else "unprotected")
    lines.append(f"add chain inet snf {chain}")
    lines.append(f"flush chain inet snf {chain}")
    lines.append(f"add rule inet snf {chain} {_DISCOVERY}")
    if word != "rules":
        lines.append(_profile(word, profiles))
        lines.append(f"add rule inet snf {chain} jump profile_{_plain(word)}")
        return "\n".join(lines)
    lines.append(f"add rule inet snf {chain} ct state established,related accept")
    lines += [f"add rule inet snf {chain} {_own_rule(rule)} accept" for rule in rules]
    lines.append(f"add rule inet snf {chain} drop")
    return "\n".join(lines)


def _profile(word, profiles):
    """Return the chain of a profile, as its file has it now."""
    path = profiles / f"{word}.nft"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in profiles.glob("*.nft")))
        raise Invalid(f"no firewall profile {word}: there are {known}") from None
    name = f"profile_{_plain(word)}"
    rules = [line.split("#")[0].strip() for line in text.splitlines()]
    lines = [f"add chain inet snf {name}", f"flush chain inet snf {name}"]
    lines += [f"add rule inet snf {name} {rule}" for rule in rules if rule]
    return "\n".join(lines)


def _own_rule(text):
    """
    Return the match of a rule, as a tag has it: ``4:tcp:22-80:192.0.2.0/24``.

    :raises Invalid: It is not one.
    """
    try:
        family, protocol, span, remote = text.split(":", 3)
        words = [{"4": "meta nfproto ipv4", "6": "meta nfproto ipv6"}[family]]
        if remote != "any":
            # What goes into the rules is what was understood, not what was sent.
            network = ip_network(remote, strict=False)
            if str(network.version) != family:
                raise ValueError
            words.append(f"{'ip' if family == '4' else 'ip6'} saddr {network}")
        words.append(_protocol(family, protocol, span))
    except (KeyError, ValueError):
        raise Invalid(f"firewall rule {text!r} makes no sense") from None
    return " ".join(word for word in words if word)


def _protocol(family, protocol, span):
    first, _, last = span.partition("-")
    if protocol == "any":
        return ""
    if protocol in _PORTED:
        # Without ports, all of them: the set from 0 on.
        return f"{protocol} dport {int(first or 0)}-{int(last or first or 65535)}"
    if protocol == "icmp":
        name = "icmp" if family == "4" else "icmpv6"
        if not first:
            return f"meta l4proto {'icmp' if family == '4' else 'ipv6-icmp'}"
        code = f" {name} code {int(last)}" if last else ""
        return f"{name} type {int(first)}{code}"
    return f"meta l4proto {int(protocol)}"


def _masked(mac):
    octets = zip(mac.split(":"), PREFIX_MASK.split(":"), strict=True)
    return ":".join(f"{int(octet, 16) & int(mask, 16):02x}" for octet, mask in octets)


def _chain(nic):
    return f"nic_{nic.number}"


def _frame_chains(nic):
    tap = _plain(nic.tap)
    return f"netdev snf from_{tap}", f"netdev snf to_{tap}"


def _marks(nic):
    return f"{'inet' if nic.routed else 'bridge'} snf mark_of"


def _plain(name):
    """Return a name in nft's letters; others are told apart by their numbers."""
    return re.sub(r"[^A-Za-z0-9_]", lambda found: f"_{ord(found[0]):x}_", name)
