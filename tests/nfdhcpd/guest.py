"""A guest's messages, as scapy builds them, and what it makes of the answers."""

from typing import Any

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from snf.nfdhcpd.binding import parse
from snf.nfdhcpd.dhcp4 import Dhcp4
from snf.nfdhcpd.responder import Answer, Packet
from snf.nfdhcpd.settings import Dhcp

MAC = bytes.fromhex("aa0000000001")
FOREIGN = bytes.fromhex("aa0000000002")
SERVER_MAC = bytes.fromhex("eeeeeeeeeeee")
OWN, OTHER = "198.51.100.7", "198.51.100.8"
SERVER = "192.0.2.1"

BINDING = {
    "INDEV": "tap1",
    "MAC": MAC.hex(":"),
    "HOSTNAME": "snf-1.example.org",
    "IP": OWN,
    "SUBNET": "198.51.100.0/24",
    "GATEWAY": "198.51.100.1",
}


def message(
    kind: str,
    *options: Any,
    source: str = "0.0.0.0",
    target: str = "255.255.255.255",
    **fields: Any,
) -> bytes:
    """Return a client's message, from the IP header on."""
    boot = BOOTP(**{"xid": 0x12345678, "chaddr": MAC, **fields})
    packet = IP(src=source, dst=target) / UDP(sport=68, dport=67) / boot
    return bytes(packet / DHCP(options=[("message-type", kind), *options, "end"]))


def bound(settings: Dhcp | None = None, **values: str) -> tuple[Dhcp4, Any]:
    """Return what answers DHCP, and what it has compiled for a guest."""
    text = "".join(f"{key}={value}\n" for key, value in {**BINDING, **values}.items())
    dhcp = Dhcp4(settings or Dhcp())
    return dhcp, dhcp.compile(parse("tap1", text), SERVER_MAC)


def answered(
    packet: bytes,
    settings: Dhcp | None = None,
    mac: bytes | None = MAC,
    **values: str,
) -> Answer:
    """Return what becomes of a guest's packet."""
    dhcp, compiled = bound(settings, **values)
    return dhcp.answer(compiled, Packet(packet, mac))


class Reply:
    """A frame as scapy understands it."""

    def __init__(self, frame: bytes) -> None:
        self.frame = Ether(frame)
        self.boot = self.frame[BOOTP]
        self.options: dict[str | int, Any] = {}
        self.order: list[str | int] = []
        for option in self.frame[DHCP].options:
            if isinstance(option, tuple):
                name, *values = option
                self.order.append(name)
                self.options[name] = values[0] if len(values) == 1 else values

    def sound(self) -> bool:
        """Return whether lengths and checksums are what scapy makes of the rest."""
        again = Ether(bytes(self.frame))
        for layer, field in (
            (IP, "len"),
            (IP, "chksum"),
            (UDP, "len"),
            (UDP, "chksum"),
        ):
            delattr(again[layer], field)
        return bytes(again) == bytes(self.frame)
