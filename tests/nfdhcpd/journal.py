"""What a DHCPv4 client and its server say to each other, in words."""

import socket
import time
from contextlib import suppress

from attrs import define, field

from tests.nfdhcpd.guest import Reply

_TO_SERVER, _TO_CLIENT = b"\0\x44\0\x43", b"\0\x43\0\x44"
_ANSWERS = {2: "offer", 5: "ack", 6: "nak"}
_OTHERS = {1: "discover", 4: "decline", 7: "release", 8: "inform"}


def word(frame: bytes) -> str:
    """Return a message's type, or a REQUEST's state (RFC 2131, 4.3.2); "" if it is none."""
    if frame[12:14] != b"\x08\0" or frame[23] != socket.IPPROTO_UDP:
        return ""
    if frame[34:38] == _TO_CLIENT:
        return _ANSWERS[Reply(frame).options["message-type"]]
    if frame[34:38] != _TO_SERVER:
        return ""
    asked = Reply(frame)
    kind = asked.options["message-type"]
    if kind != 3:
        return _OTHERS[kind]
    if "server_id" in asked.options:
        return "selecting"
    if asked.boot.ciaddr == "0.0.0.0":
        return "init-reboot"
    return "rebinding" if frame[30:34] == b"\xff" * 4 else "renewing"


@define(eq=False)
class Journal:
    """The words of what a guest's device has sent and got."""

    raw: socket.socket
    words: list[str] = field(factory=list)
    _read: int = 0

    def expect(self, *words: str, within_s: float = 60.0) -> None:
        """
        Return when these have been said, in this order, since the last of those before.

        Others may be between them: clients ask again.

        :raises AssertionError: They were not in that time.
        """
        end = time.monotonic() + within_s
        for expected in words:
            while expected not in self.words[self._read :]:
                if time.monotonic() > end:
                    raise AssertionError(
                        f"{expected} of {words} is not in {self.words}"
                    )
                self._listen()
            self._read = self.words.index(expected, self._read) + 1

    def _listen(self) -> None:
        self.raw.settimeout(0.5)
        with suppress(TimeoutError):
            said = word(self.raw.recv(2048))
            if said:
                self.words.append(said)
