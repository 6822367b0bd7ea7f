"""A NIC as Ganeti describes it to the script that sets it up."""

import json
import re
from ipaddress import IPv6Address, IPv6Network

FILTERED = "private-filtered"
VXLAN = "vxlan"
DHCP = "nfdhcpd"
NO_DHCP4 = "snf:no-dhcp:4"

# Synnefo compares the first 20 bits: a network may span clusters, whose own prefixes
# are 24 bits long.
PREFIX_MASK = "ff:ff:f0:00:00:00"

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,15}\Z")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,30}\Z")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")
_PORT = "snf-nic-"

# What of the environment is kept: Ganeti 3.0 lib/hypervisor/hv_base.py, ConfigureNIC.
KEYS = (
    "INTERFACE",
    "INTERFACE_INDEX",
    "INTERFACE_NAME",
    "INTERFACE_UUID",
    "INSTANCE",
    "MAC",
    "IP",
    "MODE",
    "LINK",
    "TAGS",
    "NETWORK_NAME",
    "NETWORK_SUBNET",
    "NETWORK_GATEWAY",
    "NETWORK_SUBNET6",
    "NETWORK_GATEWAY6",
    "NETWORK_TAGS",
)


class Invalid(Exception):
    """The description of a NIC cannot be followed; the text says why."""


class Nic:
    """One NIC of an instance and the tap that it has on this node.

    ``number`` is the tap's interface index, which no other interface of this node has
    while it lives; ``zone`` keeps its bridge's connections apart from other bridges',
    0 where there is no bridge.
    """

    def __init__(self, environment, number=0, zone=0, uplink=""):
        self.environment = {key: environment.get(key, "") for key in KEYS}
        self.number = number
        self.zone = zone
        self.uplink = uplink
        self.tap = self._checked("INTERFACE", _NAME)
        self.instance = self.environment["INSTANCE"]
        self.mac = self._checked("MAC", _MAC, lower=True)
        self.link = self._checked("LINK", _NAME)
        self.address = self.environment["IP"]
        self.tags = self.environment["TAGS"].split()
        self.network_tags = self.environment["NETWORK_TAGS"].split()

    @classmethod
    def from_json(cls, text):
        """Return the one that ``to_json`` wrote."""
        kept = json.loads(text)
        return cls(kept["environment"], kept["number"], kept["zone"], kept["uplink"])

    def to_json(self):
        """Return it as text, from which it can be had again."""
        return json.dumps(
            {
                "environment": self.environment,
                "number": self.number,
                "zone": self.zone,
                "uplink": self.uplink,
            }
        )

    @property
    def routed(self):
        """Whether the node routes for it; else it is a port of a bridge."""
        return self.environment["MODE"] == "routed"

    @property
    def filtered(self):
        """Whether only its network's MAC addresses may reach it."""
        return FILTERED in self.network_tags

    @property
    def leased(self):
        """Whether nfdhcpd answers its DHCP of IPv4."""
        return DHCP in self.network_tags and NO_DHCP4 not in self.network_tags

    @property
    def segment(self):
        """The VXLAN network identifier; None where it is not on one."""
        if VXLAN not in self.network_tags:
            return None
        text = self._network_word("vni")
        if not text.isdigit() or not 0 < int(text) < 1 << 24:
            raise Invalid(f"network tag vni:{text}: not a number of 24 bits")
        return int(text)

    @property
    def address6(self):
        """The IPv6 address that it makes itself of its network's prefix; or ""."""
        subnet = self.environment["NETWORK_SUBNET6"]
        if not subnet:
            return ""
        return str(IPv6Network(subnet)[0] + eui64(self.mac))

    @property
    def link_local(self):
        """Its link-local IPv6 address."""
        return str(IPv6Address("fe80::") + eui64(self.mac))

    @property
    def only_own_addresses(self):
        """Whether it may send from the addresses that it was given, and no others.

        On a private network its members may do as they like.
        """
        return self.routed or "public" in self.network_tags

    @property
    def profile(self):
        """The word of its firewall profile; None where its own rules hold, or none."""
        for name in self._names():
            prefix = f"synnefo:network:{name}:"
            for tag in self.tags:
                if tag.startswith(prefix):
                    word = tag[len(prefix) :]
                    if not _WORD.match(word):
                        raise Invalid(f"tag {tag}: not a name of a profile")
                    return word
        return None

    @property
    def rules(self):
        """The parts of the tags that hold its own rules: family, protocol and so on."""
        return self._own("snf:rule:")

    @property
    def floating(self):
        """Its floating addresses, each with the fixed one that it stands for."""
        pairs = []
        for text in self._own("snf:fip:"):
            floating, _, fixed = text.partition("@")
            pairs.append((floating, fixed))
        return pairs

    @property
    def addresses(self):
        """All addresses that are its own."""
        own = [
            self.address,
            self.address6,
            *(floating for floating, _ in self.floating),
        ]
        return [address for address in own if address]

    @property
    def mtu(self):
        """The largest packet in bytes that its network carries; "" for the usual."""
        return self._network_word("snf:mtu")

    def network_words(self, key):
        """Return what follows a key in the network's tags, of each tag that has it."""
        prefix = f"{key}:"
        return [
            tag[len(prefix) :] for tag in self.network_tags if tag.startswith(prefix)
        ]

    def _network_word(self, key):
        words = self.network_words(key)
        return words[0] if words else ""

    def _names(self):
        return [
            self.environment[key]
            for key in ("INTERFACE_NAME", "INTERFACE_UUID", "INTERFACE_INDEX")
            if self.environment[key]
        ]

    def _own(self, kind):
        name = self.environment["INTERFACE_NAME"]
        if not name.startswith(_PORT):
            return []
        prefix = f"{kind}{name[len(_PORT) :]}:"
        return [tag[len(prefix) :] for tag in self.tags if tag.startswith(prefix)]

    def _checked(self, key, allowed, lower=False):
        value = self.environment[key]
        value = value.lower() if lower else value
        if not allowed.match(value):
            raise Invalid(f"{key}={value!r}: expected {allowed.pattern}")
        return value


def eui64(mac):
    """Return the lower half of the IPv6 addresses of a MAC address (RFC 4291, A)."""
    octets = [int(octet, 16) for octet in mac.split(":")]
    octets[0] ^= 2
    octets[3:3] = [0xFF, 0xFE]
    return int.from_bytes(bytes(octets), "big")
