"""What a kind of packets has to offer: ``dhcp4`` is one, and its siblings are others.

A responder is made once for a configuration.  It compiles what a guest is to be told when
its binding is read, and answers each packet from that: it keeps nothing itself, opens
nothing, and waits for nothing.
"""

from typing import Any, Protocol

from attrs import frozen

from snf.nfdhcpd.binding import Binding


@frozen
class Packet:
    """
    A guest's packet.

    :ivar payload: From the IP header on; what the kernel gives of it, at most 2,048 octets.
    :ivar source: The MAC address that it came from; ``None`` if the kernel did not say.
    """

    payload: bytes
    source: bytes | None = None


@frozen
class Answer:
    """
    What becomes of a packet.

    :ivar outcome: A word for the counters: of a closed set, never of the guest's making.
    :ivar frame: What is sent on the tap, from the Ethernet header on; empty is nothing.
    :ivar note: A sentence for the operator; "" for what is usual.
    """

    outcome: str
    frame: bytes = b""
    note: str = ""


class Responder(Protocol):
    """Answers one kind of packets."""

    @property
    def kind(self) -> str:
        """The word for the counters, and the key of its queue in ``[queues]``."""

    @property
    def link_wide(self) -> bool:
        """Whether others on a guest's bridge are to have its packets, too."""

    def compile(self, binding: Binding, mac: bytes) -> Any:
        """
        Return what ``answer`` needs of a guest; ``None`` if it is to be told nothing.

        :param mac: The MAC address of the binding's ``indev``, which answers come from.
        """

    def answer(self, compiled: Any, packet: Packet) -> Answer:
        """Return what becomes of a packet, whatever is in it."""
