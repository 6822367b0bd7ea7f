"""What is let in to a port, and how that is told to the nodes: by tags of instances.

Tags travel with an instance wherever it goes.  What the nodes make of them is in
``ganeti/network/rules.py``.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from attrs import frozen

from snf.core.naming import nic_name

# A tag of Ganeti's is as long at most (lib/constants.py, MAX_TAG_LEN).
TAG_AT_MOST = 128

# Of all groups of a port together.  Hooks are told an instance's tags in one variable
# of their environment, and Linux takes 128 KiB for one: eight ports fit.
RULES_AT_MOST = 128

# That a port may be in.
GROUPS_AT_MOST = 32

_PROFILE = "synnefo:network:"
_NIC = "snf-nic-"
_RULE = "snf:rule:"
# Of a port whose own rules hold, also where there are none.
_OWN = "rules"


class Direction(Enum):
    """Whether a rule is about what comes to a port, or about what it sends."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Profile(Enum):
    """The profiles that every node has; the value is the word in the tag."""

    PROTECTED = "protected"
    LIMITED = "limited"
    UNPROTECTED = "unprotected"


# As users call them (Synnefo: the words of the API are not those of the tags).
NAMES = {
    "ENABLED": Profile.PROTECTED,
    "PROTECTED": Profile.LIMITED,
    "DISABLED": Profile.UNPROTECTED,
}


@frozen
class Offered:
    """
    What a cloud offers.

    :ivar default: What a project's default group admits at first.
    :ivar added: The profiles that its operator has added on all nodes.
    """

    default: Profile = Profile.UNPROTECTED
    added: tuple[str, ...] = ()

    @property
    def profiles(self) -> Mapping[str, str]:
        """The words of the tags, by what users call them."""
        return {
            **{word.upper(): word for word in self.added},
            **{name: profile.value for name, profile in NAMES.items()},
        }


OFFERED = Offered()


# Of a port that has no profile, since the rules of its groups hold.
BY_GROUPS = "GROUPS"


@frozen
class Match:
    """
    What packets a rule is about.

    ``protocol`` is IP's number; None is any.  ``first`` and ``last`` are ports, or the
    type and code of ICMP; None is any.  ``remote`` is where they are from or go to.
    """

    family: int
    protocol: int | None = None
    first: int | None = None
    last: int | None = None
    remote: IPv4Network | IPv6Network | None = None

    @property
    def everything(self) -> bool:
        """Whether it is about all packets of its family."""
        return self.protocol is None and _anywhere(self.remote)


@frozen
class Rule:
    """One rule of a group; ``protocol`` is what its owner calls it."""

    id: UUID
    group: UUID
    project: UUID
    direction: Direction
    match: Match
    created: datetime
    protocol: str | None = None
    description: str | None = None


@frozen
class Group:
    """A security group with its rules."""

    id: UUID
    project: UUID
    name: str
    created: datetime
    updated: datetime
    description: str = ""
    is_default: bool = False
    rules: tuple[Rule, ...] = ()
    tags: tuple[str, ...] = ()
    revision: int = 0


@frozen
class Port:
    """
    What decides over what comes in to a port.

    ``profile`` is the word of one; where it is None, ``admitted`` is what does.  That
    is None where no group has ever been made: then everything does.
    """

    id: UUID
    profile: str | None = None
    admitted: tuple[Match, ...] | None = None


def tags(ports: Iterable[Port]) -> frozenset[str]:
    """Return the tags that an instance with these ports is to have."""
    return frozenset(tag for port in ports for tag in _tags(port))


def ours(found: Collection[str]) -> frozenset[str]:
    """Return those of an instance's tags that are about its firewall.

    So are Synnefo's, which name NICs by their numbers.
    """
    return frozenset(tag for tag in found if tag.startswith((_PROFILE, _RULE)))


def in_any_order(found: Collection[str], wanted: Collection[str]) -> bool:
    """
    Return whether an instance's tags may as well be removed before others are added.

    A NIC without a profile lets in everything.  So it may where each NIC whose profile
    goes lets in everything anyway, as it was or as it will be.
    """
    for tag in ours(found) - ours(wanted):
        if not tag.startswith(_PROFILE):
            continue
        nic, _, word = tag[len(_PROFILE) :].partition(":")
        if word == Profile.UNPROTECTED.value:
            continue
        if not nic.startswith(_NIC):
            return False  # it is one of those that have names, nobody knows which
        after = {one for one in wanted if one.startswith(f"{_PROFILE}{nic}:")}
        if after - {f"{_PROFILE}{nic}:{Profile.UNPROTECTED.value}"}:
            return False
    return True


def _tags(port: Port) -> Iterable[str]:
    if port.profile is not None:
        yield _profile(port.id, port.profile)
        return
    if port.admitted is None:
        return
    open_to = {one.family for one in port.admitted if one.everything}
    if open_to == {4, 6}:
        return  # what nodes do without a tag
    yield _profile(port.id, _OWN)
    for one in port.admitted:
        if one.everything or one.family not in open_to:
            yield f"{_RULE}{port.id}:{_written(one)}"


def _profile(port: UUID, word: str) -> str:
    return f"{_PROFILE}{nic_name(port)}:{word}"


def _written(match: Match) -> str:
    remote = "any" if _anywhere(match.remote) else str(match.remote)
    return f"{match.family}:{_protocol(match)}:{_span(match)}:{remote}"


def _protocol(match: Match) -> str:
    if match.protocol is None:
        return "any"
    if match.protocol == ICMP[match.family]:
        return "icmp"
    return PORTED.get(match.protocol, str(match.protocol))


def _span(match: Match) -> str:
    if match.first is None:
        return ""
    if match.last is None:
        return str(match.first)
    return f"{match.first}-{match.last}"


def _anywhere(remote: IPv4Network | IPv6Network | None) -> bool:
    return remote is None or remote.prefixlen == 0


# The protocols that have ports, by their numbers.
PORTED = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}

# ICMP's number in each family.
ICMP = {4: 1, 6: 58}


def admits(profile: Profile) -> tuple[Match, ...]:
    """Return what a profile lets in, beside answers; see ``ganeti/network/profiles``."""
    if profile is Profile.UNPROTECTED:
        return tuple(Match(family) for family in (4, 6))
    pings = [Match(family, ICMP[family]) for family in (4, 6)]
    if profile is Profile.PROTECTED:
        return tuple(pings)
    doors = [Match(family, 6, port, port) for family in (4, 6) for port in (22, 3389)]
    return (*doors, *pings)


def name_of(port: Port) -> str:
    """Return what Synnefo's clients are told of a port: ``ENABLED`` and so on.

    A profile that an operator has added is told by its own word.
    """
    if port.profile is not None:
        words = {profile.value: name for name, profile in NAMES.items()}
        return words.get(port.profile, port.profile.upper())
    admitted = frozenset(admits(Profile.UNPROTECTED))
    if port.admitted is None or admitted.issubset(port.admitted):
        return "DISABLED"
    for name, profile in NAMES.items():
        if frozenset(port.admitted) == frozenset(admits(profile)):
            return name
    return BY_GROUPS
