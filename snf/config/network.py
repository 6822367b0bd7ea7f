"""Networks and their firewall."""

import re

from attrs import frozen

from snf.config.checks import one_of

_PROFILES = ("protected", "limited", "unprotected")


# As ganeti/network/nic.py has it.
_PROFILE = re.compile(r"[a-z][a-z0-9_-]{0,30}")


@frozen
class Network:
    """``[network]``: the networks that users and admins may make, and their firewall.

    Ranges are the first and the last; an empty one has nothing.

    :ivar default_firewall: The profile whose rules a project's default security group
        has at first.
    :ivar firewall_profiles: The profiles that the operator has added on all nodes.
    """

    user_kinds: tuple[str, ...] = ("MAC_FILTERED",)
    default_kind: str = "MAC_FILTERED"
    routed_link: str = "snf_public"
    filtered_bridge: str = "prv0"
    mac_prefixes: tuple[str, ...] = ("aa:01:0", "aa:ff:f")
    bridge_prefix: str = "prv"
    bridges: tuple[int, ...] = ()
    vxlan_ids: tuple[int, ...] = (10_000, 19_999)
    mtu: int = 1500
    vxlan_mtu: int = 1450
    default_firewall: str = "unprotected"
    firewall_profiles: tuple[str, ...] = ()

    def check(self) -> None:
        one_of("default_firewall", self.default_firewall, _PROFILES)
        _profiles("firewall_profiles", self.firewall_profiles)
        for kind in self.user_kinds:
            one_of("user_kinds", kind, _KINDS)
        one_of("default_kind", self.default_kind, _KINDS)
        for key in ("routed_link", "filtered_bridge"):
            if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", getattr(self, key)):
                raise ValueError(f"{key}: must be the name of an interface or a table")
        if not re.fullmatch(r"[a-z][a-z0-9]{0,9}", self.bridge_prefix):
            raise ValueError("bridge_prefix: must be some lower-case letters")
        _mac_prefixes(self.mac_prefixes)
        _range("bridges", self.bridges, 9999)
        _range("vxlan_ids", self.vxlan_ids, 2**24 - 1)
        for key in ("mtu", "vxlan_mtu"):
            if not 1280 <= getattr(self, key) <= 9216:
                raise ValueError(f"{key}: must be from 1280 to 9216")


# Those that follow from the configuration.
_KINDS = ("IP_LESS_ROUTED", "MAC_FILTERED", "PHYSICAL_VLAN", "VXLAN")


def _profiles(key: str, words: tuple[str, ...]) -> None:
    for word in words:
        if not _PROFILE.fullmatch(word) or word in (*_PROFILES, "rules"):
            raise ValueError(
                f"{key}: {word!r}: must be the name of a file of "
                "/etc/snf-network/profiles without .nft, of small letters, digits, - and "
                "_, other than the built-in ones"
            )


def _range(key: str, ends: tuple[int, ...], most: int) -> None:
    if ends and (len(ends) != 2 or not 1 <= ends[0] <= ends[1] <= most):
        raise ValueError(f"{key}: must be the first and the last, from 1 to {most}")


def _mac_prefixes(ends: tuple[str, ...]) -> None:
    for prefix in ends:
        # Locally administered, and of one interface only.
        if not re.fullmatch(r"[0-9a-f][26ae]:[0-9a-f]{2}:[0-9a-f]", prefix):
            raise ValueError(f"mac_prefixes: {prefix!r} is not one like 'aa:01:0'")
    if len(ends) != 2 or ends[0] > ends[1] or ends[0][:2] != ends[1][:2]:
        raise ValueError(
            "mac_prefixes: must be the first and the last, with the same first octet"
        )
