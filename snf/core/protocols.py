"""The protocols above IP, by the names that security group rules know."""

from collections.abc import Mapping

from snf.core.firewall import ICMP

# neutron_lib/constants.py, IP_PROTOCOL_MAP; where a number has several names, all.
NUMBERS: Mapping[str, int] = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 4,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}

# Those that there are with one family only.
_FAMILY = {58: 6, 41: 6, 43: 6, 44: 6, 59: 6, 60: 6}


def number(name: str | int | None, family: int) -> int | None:
    """
    Return the number of a protocol in a family of IP; None is any.

    ICMP's name is good for both, as it is in Neutron.  So is 0 for any.

    :raises LookupError: There is none of the name.
    :raises ValueError: There is none of it in this family.
    """
    if name is None or str(name).lower() in ("any", "0"):
        return None
    text = str(name).lower()
    found = _plain(text) if text.isdigit() else NUMBERS[text]
    if found == ICMP[4]:
        return ICMP[family]
    if _FAMILY.get(found, family) != family:
        raise ValueError(name)
    return found


def _plain(text: str) -> int:
    if not text.isascii() or len(text) > 3 or int(text) > 255:
        raise LookupError(text)
    return int(text)
