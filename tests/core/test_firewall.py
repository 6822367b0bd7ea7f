"""The tags that tell nodes what to let in, as the nodes read them."""

import re
import sys
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core import firewall, protocols
from snf.core.firewall import ICMP, PORTED, Match, Offered, Port, Profile
from snf.core.naming import nic_name

_NODE = Path(__file__).parents[2] / "ganeti" / "network"
# What a program on a node has on its path: itself.
sys.path.insert(0, str(_NODE))
import nic as node_nic  # noqa: E402
import rules as node_rules  # noqa: E402

sys.path.remove(str(_NODE))

_PORT = UUID(int=0xF0, version=4)
_LETTERS = re.compile(r"[\w.+*/:@-]+", re.ASCII)


def _remotes(family: int) -> Any:
    kind = IPv4Network if family == 4 else IPv6Network
    bits = 32 if family == 4 else 128
    return st.none() | st.builds(
        lambda address, length: kind((address, length), strict=False),
        st.integers(0, 2**bits - 1),
        st.integers(0, bits),
    )


@st.composite
def matches(draw: Any) -> Match:
    """Return any match that the API can let through."""
    family = draw(st.sampled_from((4, 6)))
    protocol = draw(st.none() | st.integers(1, 255))
    first = last = None
    if protocol in PORTED:
        span = draw(st.none() | st.tuples(*[st.integers(1, 65535)] * 2))
        first, last = sorted(span) if span else (None, None)
    elif protocol == ICMP[family]:
        first = draw(st.none() | st.integers(0, 255))
        last = None if first is None else draw(st.none() | st.integers(0, 255))
    return Match(family, protocol, first, last, draw(_remotes(family)))


_PORTS = st.builds(
    Port,
    id=st.uuids(),
    profile=st.none() | st.sampled_from([one.value for one in Profile]),
    admitted=st.none() | st.lists(matches(), max_size=8).map(tuple),
)


def _read(port: UUID, tags: Any) -> Any:
    """Return the NIC of a port as its node sees it."""
    return node_nic.Nic(
        {
            "INTERFACE": "tap0",
            "INTERFACE_INDEX": "0",
            "INTERFACE_NAME": nic_name(port),
            "MAC": "aa:00:00:00:00:01",
            "LINK": "br0",
            "TAGS": " ".join(sorted(tags)),
        },
        number=7,
    )


def _word(tags: Any) -> str:
    """Return the profile that holds for the port where an instance has these tags."""
    nic = _read(_PORT, tags)
    return nic.profile or ("rules" if nic.rules else "unprotected")


class TagTests(SynchronousTestCase):
    """From ports to tags, and to what a node makes of them."""

    @given(st.lists(_PORTS, max_size=8))
    def test_fit(self, ports: list[Port]) -> None:
        """Ganeti takes every tag, and all of eight ports fit into an environment."""
        tags = firewall.tags(ports)
        for tag in tags:
            self.assertRegex(tag, rf"\A{_LETTERS.pattern}\Z")
            self.assertLessEqual(len(tag), firewall.TAG_AT_MOST)
        self.assertEqual(tags, firewall.ours([*tags, "other", "snf:fip:x"]))

    def test_room(self) -> None:
        """As many rules as eight ports can have are less than Linux takes for one."""
        rule = Match(6, 136, 65534, 65535, IPv6Network((2**128 - 1, 128)))
        [tag] = [t for t in firewall.tags([Port(_PORT, None, (rule,))]) if "rule:" in t]
        self.assertLess(8 * firewall.RULES_AT_MOST * (len(tag) + 1), 125 * 1024)

    @given(_PORTS)
    def test_understood(self, port: Port) -> None:
        """The node reads all of them, and makes rules of nothing else."""
        nic = _read(port.id, firewall.tags([port]))
        text = node_rules._firewall(nic, _NODE / "profiles")
        tags = [tag for tag in firewall.tags([port]) if tag.startswith("snf:rule:")]
        if port.profile is not None:
            self.assertEqual(port.profile, nic.profile)
            self.assertEqual([], tags)
            return
        self.assertEqual(len(tags), len(nic.rules))
        closed = text.rstrip().endswith(" drop")
        self.assertEqual(closed, nic.profile == "rules")
        self.assertEqual(len(tags), text.count(" accept") - 1 - closed - (not closed))

    @given(matches())
    def test_meant(self, match: Match) -> None:
        """What the node lets in is what the rule says: family, source, ports."""
        port = Port(_PORT, None, (match, Match(4), Match(6, 250)))
        nic = _read(_PORT, firewall.tags([port]))
        lines = [node_rules._own_rule(rule) for rule in nic.rules]
        if match.everything:
            self.assertEqual(match.family == 4, bool(lines))
            return
        if match.family == 4:
            # All of IPv4 is let in in any case.
            self.assertEqual(2, len(lines))
            return
        wanted = ["meta nfproto ipv6"]
        if match.remote is not None and match.remote.prefixlen:
            wanted.append(f"ip6 saddr {match.remote}")
        if match.protocol in PORTED:
            span = (match.first or 0, match.last or 65535)
            wanted.append(f"{PORTED[match.protocol]} dport {span[0]}-{span[1]}")
        elif match.protocol == 58 and match.first is not None:
            code = "" if match.last is None else f" icmpv6 code {match.last}"
            wanted.append(f"icmpv6 type {match.first}{code}")
        elif match.protocol is not None:
            number = "ipv6-icmp" if match.protocol == 58 else match.protocol
            wanted.append(f"meta l4proto {number}")
        self.assertIn(" ".join(wanted), lines)

    @given(_PORTS, _PORTS)
    def test_in_any_order(self, one: Port, other: Port) -> None:
        """What may be done in any order opens nothing that is closed before and after."""
        old, new = (firewall.tags([evolve(port, id=_PORT)]) for port in (one, other))
        between = [old & new, old | new]  # all removed first, or all added
        words = {_word(tags) for tags in (old, new)}
        opens = not {_word(tags) for tags in between} <= words
        self.assertEqual(opens, not firewall.in_any_order(old, new))

    def test_order_matters(self) -> None:
        """From one profile to another it does, where neither is open."""
        mine = f"synnefo:network:{nic_name(_PORT)}:"
        for before, after, anyhow in (
            ("protected", "limited", False),
            ("rules", "limited", False),
            ("protected", "unprotected", True),
            ("unprotected", "protected", True),
        ):
            self.assertIs(
                anyhow, firewall.in_any_order({mine + before}, {mine + after})
            )
        # A number may be that of the same NIC.
        by_number = {"synnefo:network:0:protected"}
        self.assertFalse(firewall.in_any_order(by_number, {f"{mine}limited"}))

    def test_open(self) -> None:
        """Who lets in everything of both families needs no tag, as nobody does."""
        everything = firewall.admits(Profile.UNPROTECTED)
        anywhere = Match(4, remote=ip_network("0.0.0.0/0"))
        for admitted in (
            None,
            everything,
            (*everything, Match(4, 6)),
            (anywhere, Match(6)),
        ):
            self.assertEqual(frozenset(), firewall.tags([Port(_PORT, None, admitted)]))

    def test_closed(self) -> None:
        """Who lets in nothing says so; and one family being open opens no other."""
        name = nic_name(_PORT)
        self.assertEqual(
            {f"synnefo:network:{name}:rules"}, firewall.tags([Port(_PORT, None, ())])
        )
        self.assertEqual(
            {f"synnefo:network:{name}:rules", f"snf:rule:{_PORT}:4:any::any"},
            firewall.tags([Port(_PORT, None, (Match(4), Match(4, 6, 22, 22)))]),
        )

    def test_as_the_profile(self) -> None:
        """The rules of a default group do what the profile does that they are from."""
        for profile in (Profile.LIMITED, Profile.PROTECTED):
            file = (_NODE / "profiles" / f"{profile.value}.nft").read_text()
            doors = {
                int(port)
                for found in re.findall(r"tcp dport \{ (.*) \}", file)
                for port in found.split(",")
            }
            admitted = firewall.admits(profile)
            for family in (4, 6):
                mine = [one for one in admitted if one.family == family]
                self.assertEqual(
                    doors, {one.first for one in mine if one.protocol == 6}
                )
                self.assertIn(Match(family, ICMP[family]), mine)
            self.assertIn("meta l4proto { icmp, ipv6-icmp } accept", file)

    def test_names(self) -> None:
        """Synnefo's words are told by profile, or by what the rules amount to."""
        for word, profile in firewall.NAMES.items():
            by_rules = Port(uuid4(), None, firewall.admits(profile))
            self.assertEqual(word, firewall.name_of(Port(uuid4(), profile.value)))
            self.assertEqual(word, firewall.name_of(by_rules))
        self.assertEqual("DISABLED", firewall.name_of(Port(uuid4())))
        self.assertEqual("GROUPS", firewall.name_of(Port(uuid4(), None, (Match(4),))))
        self.assertEqual("WEB", firewall.name_of(Port(uuid4(), "web")))
        self.assertEqual("web", Offered(added=("web",)).profiles["WEB"])


class ProtocolTests(SynchronousTestCase):
    """What rules call protocols."""

    def test_names(self) -> None:
        """Names and numbers are the same; any is no protocol; ICMP fits its family."""
        for given_name, family, number in (
            ("tcp", 4, 6),
            ("TCP", 6, 6),
            (6, 4, 6),
            ("6", 4, 6),
            ("icmp", 4, 1),
            ("icmp", 6, 58),
            ("icmpv6", 6, 58),
            ("1", 6, 58),
            (255, 4, 255),
            ("any", 4, None),
            (None, 4, None),
            ("0", 6, None),
        ):
            self.assertEqual(number, protocols.number(given_name, family), given_name)

    def test_none(self) -> None:
        """What is no protocol, or not one of this family."""
        for name in ("", "tcpp", "256", -1, "٣", "1e1", "\0", "9" * 5000):
            self.assertRaises(LookupError, protocols.number, name, 4)
        for name in ("icmpv6", 58, "ipv6-frag"):
            self.assertRaises(ValueError, protocols.number, name, 4)
