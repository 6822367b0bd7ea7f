"""What others make of frames: scapy and tshark."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import NoPayload, Padding, Raw
from scapy.utils import wrpcap
from twisted.trial.unittest import SkipTest

CHECKSUMS = " || ".join(
    f"{one}.checksum.status == 0" for one in ("ip", "udp", "icmpv6")
)
ANYTHING = (
    f"{CHECKSUMS} || _ws.malformed || !(dhcp || dhcpv6 || icmpv6)"
    # Warnings and errors.
    " || _ws.expert.severity >= 6291456"
)
_CHECKED = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")


def complaints(frames: Iterable[bytes], wrong: str = ANYTHING) -> str:
    """
    Return what tshark prints of frames that a display filter of its own holds for.

    :raises SkipTest: It is not installed.
    """
    if shutil.which("tshark") is None:
        raise SkipTest("tshark is not installed: run ./cloud test")
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        file = Path(directory) / "frames.pcap"
        wrpcap(str(file), [Ether(frame) for frame in frames])
        argv = ["tshark", "-n", "-r", str(file), *_CHECKED, "-Y", wrong]
        return subprocess.run(
            argv, capture_output=True, text=True, check=True, timeout=120
        ).stdout


def misread(frame: bytes) -> str:
    """Return what scapy makes otherwise of a frame; "" if nothing."""
    packet = Ether(frame)
    layer = packet
    while not isinstance(layer, NoPayload):
        # BOOTP has a least length.
        filled = IP in packet and not layer.fields.get("load", b"").strip(b"\0")
        if isinstance(layer, Raw | Padding) and not filled:
            return f"not understood: {layer!r}"
        layer = layer.payload
    _forget(packet)
    again = bytes(packet)
    return "" if again == frame else f"{frame.hex()} rather is {again.hex()}"


def _forget(packet: Any) -> None:
    """Have scapy make lengths and checksums itself."""
    inner = packet[UDP] if UDP in packet else packet[IPv6].payload
    layers = [inner, packet[IP] if IP in packet else packet[IPv6]]
    for layer in layers:
        for name in ("len", "plen", "chksum", "cksum"):
            if name in layer.fields:
                delattr(layer, name)
