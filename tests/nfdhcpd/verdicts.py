"""nfdhcpd without a kernel: packets are handed to it, and what it sends is looked at."""

from attrs import define, field
from twisted.internet.task import Clock

from snf.nfdhcpd.answers import Answers
from snf.nfdhcpd.binding import completed, parse
from snf.nfdhcpd.client import Client, Clients
from snf.nfdhcpd.link import Link
from snf.nfdhcpd.queue import Queue
from snf.nfdhcpd.service import responders
from snf.nfdhcpd.settings import Nfdhcpd
from tests.nfdhcpd.guest import BINDING, MAC, SERVER_MAC

TAP = 7
MTU = 1400
_VALUES = {
    "SUBNET6": "2001:db8:1::/64",
    "NAMESERVERS": "192.0.2.53 192.0.2.54 2001:db8::53",
    "DOMAIN": "example.org",
    "NTP": "192.0.2.123",
    "ROUTES": "10.0.0.0/8@198.51.100.9",
    "OPTIONS": f"119:hex:{'00' * 300} 66:text:boot.example.org",
    "MTU": str(MTU),
}


class Wrong(Exception):
    """What must not happen, whatever a packet holds."""


@define
class Raw:
    """A packet as the kernel's binding hands it over; keeps its verdicts."""

    payload: bytes
    source: bytes | None
    verdicts: list[str] = field(factory=list)
    indev: int = TAP
    physindev: int = 0

    def get_payload(self) -> bytes:
        """Return what is in it."""
        return self.payload

    def get_hw(self) -> bytes | None:
        """Return where it is from, padded as the kernel does."""
        return self.source and self.source + bytes(2)

    def drop(self) -> None:
        """Let it go no further."""
        self.verdicts.append("drop")

    def accept(self) -> None:
        """Let it go on."""
        self.verdicts.append("accept")


@define(eq=False)
class Outlet:
    """Keeps what would be sent."""

    frames: list[bytes] = field(factory=list)

    def send(self, number: int, frame: bytes) -> str:
        """Keep a frame."""
        if number != TAP:
            raise Wrong("is sent to another tap")
        self.frames.append(frame)
        return ""


@define(eq=False)
class Node:
    """
    A node with a guest, all of whose kinds of packets are answered.

    :ivar values: What else the guest's binding says.
    :ivar verdict: What became of the last packet.
    """

    routed: bool = True
    values: dict[str, str] = field(factory=dict)
    verdict: str = field(init=False, default="")
    clock: Clock = field(init=False, factory=Clock)
    outlet: Outlet = field(init=False, factory=Outlet)
    answers: Answers = field(init=False)
    queues: dict[str, Queue] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        indev = "tap1" if self.routed else "br1"
        values = {**BINDING, **_VALUES, "INDEV": indev, **self.values}
        text = "".join(f"{key}={value}\n" for key, value in values.items())
        binding = completed(parse("tap1", text), lambda table, family: (None, None))
        clients = Clients()
        known = responders(Nfdhcpd())
        compiled = {one.kind: one.compile(binding, SERVER_MAC) for one in known}
        clients.put(Client(binding, Link("tap1", TAP, self.outlet), compiled))
        self.answers = Answers(self.clock, clients)
        for one in known:
            taken = self.answers.taker(one)
            self.queues[one.kind] = Queue(
                *(self.clock, TAP, 1, taken, self.answers.begin)
            )

    def put(self, kind: str, payload: bytes, source: bytes | None = MAC) -> list[bytes]:
        """
        Put a packet into a queue, and return what is sent for it.

        :raises Wrong: Something happened that must not.
        """
        raw = Raw(payload, source)
        self.queues[kind]._packet(raw)
        if len(raw.verdicts) != 1:
            raise Wrong(f"has {len(raw.verdicts)} verdicts")
        [self.verdict] = raw.verdicts
        self.queues[kind].read()
        frames, self.outlet.frames = self.outlet.frames, []
        if self.answers.packets[kind, "failed"]:
            raise Wrong("was a mistake: see the log")
        for frame in frames:
            _check(frame, source)
        return frames


def _check(frame: bytes, source: bytes | None) -> None:
    target = frame[:6]
    if source not in (None, MAC):
        raise Wrong("answers a foreign MAC address")
    if target != MAC and not target[0] & 1:
        raise Wrong(f"is sent to {target.hex(':')}")
    if frame[6:12] != SERVER_MAC:
        raise Wrong(f"is sent from {frame[6:12].hex(':')}")
    if len(frame) > 14 + MTU:
        raise Wrong(f"has {len(frame)} octets")
