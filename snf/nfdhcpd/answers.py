"""From a packet of a queue to the answer on its tap."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from snf.nfdhcpd.client import Client, Clients
from snf.nfdhcpd.queue import packet_of
from snf.nfdhcpd.responder import Packet, Responder
from snf.nfdhcpd.turns import Turns

# How often a guest may have a sentence in the log.
_NOTE_S = 60.0


@define(eq=False)
class Answers:
    """
    Answers packets, and counts them.

    :ivar clock: An ``IReactorTime``.
    :ivar packets: How many there were, by kind and what became of them.
    """

    _log = Logger()

    clock: Any
    clients: Clients
    packets: Counter[tuple[str, str]] = field(init=False, factory=Counter)
    _turns: Turns = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = Turns(self.clock, self._answer)

    def stop(self) -> None:
        """Answer nothing more."""
        self._turns.stop()

    def begin(self) -> None:
        """Answer what has been taken; to be called after some packets."""
        self._turns.begin()

    def taker(self, responder: Responder) -> Callable[[int, Any], bool]:
        """Return what is to be called for each packet of a queue; see ``Queue``."""
        kind = responder.kind
        clients, packets, turns = self.clients, self.packets, self._turns

        def taken(interface: int, raw: Any) -> bool:
            client = clients.get(interface)
            if client is None:
                packets[kind, "unknown"] += 1
                return False
            routed = client.binding.routed
            if client.compiled.get(kind) is None:
                # On a bridge somebody else may have an answer.
                packets[kind, "none" if routed else "passed"] += 1
                return routed
            if turns.has_room(client):
                turns.add(client, responder, packet_of(raw))
            else:
                packets[kind, "flood"] += 1
            return routed or not responder.link_wide

        return taken

    def _answer(self, client: Client, responder: Responder, packet: Packet) -> None:
        kind = responder.kind
        try:
            answer = responder.answer(client.compiled[kind], packet)
        except Exception:
            self.packets[kind, "failed"] += 1
            if self._may_note(client):
                self._log.failure("a packet of {tap}", tap=client.link.name)
            return
        self.packets[kind, answer.outcome] += 1
        note = answer.note
        if answer.frame and (problem := client.link.send(answer.frame)):
            self.packets[kind, "unsent"] += 1
            note = f"could not be sent an answer: {problem}"
        if note and self._may_note(client):
            self._log.warn(
                "{tap} ({host}) {note}",
                tap=client.link.name,
                host=client.binding.hostname,
                note=note,
            )

    def _may_note(self, client: Client) -> bool:
        now = self.clock.seconds()
        if now - client.noted < _NOTE_S:
            return False
        client.noted = now
        return True
