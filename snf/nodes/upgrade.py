"""Asking a node's daemon to make a connection a serial line."""

from attrs import define, field

from snf.console.rfb import Conversation, Handshake, Refused
from snf.core.signing import UPGRADE

_LONGEST_HEAD = 4096
_LONGEST_REASON = 500
_END = b"\r\n\r\n"


@define(eq=False)
class Upgrade(Handshake):
    """
    One request of HTTP, and the head of its answer; what follows is the line's.

    :ivar status: That of the answer; 101 has made it one.
    :ivar reason: Why it has not, in the daemon's words.
    """

    host: str
    target: str
    status: int = field(init=False, default=0)
    reason: str = field(init=False, default="")

    def conversation(self) -> Conversation:
        """Ask; read the answer's head, and the reason if it is refused."""
        self.say(
            f"GET {self.target} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Connection: Upgrade\r\nUpgrade: {UPGRADE}\r\n\r\n".encode("ascii")
        )
        head = bytearray()
        while not head.endswith(_END):
            # Not one byte more: what comes next is the guest's already.
            head += yield 1
            if len(head) > _LONGEST_HEAD:
                raise Refused("answers with too long a head")
        status, length = _understood(bytes(head))
        self.status = status
        if status != 101 and length:
            text = yield min(length, _LONGEST_REASON)
            self.reason = text.decode("utf-8", "replace").strip()


def _understood(head: bytes) -> tuple[int, int]:
    """Return a head's status, and the length of what follows."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise Refused("does not speak HTTP")
    fields = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    status, length = int(rest[:3]), fields.get("content-length", "0")
    if status == 101 and fields.get("upgrade", "").lower() != UPGRADE:
        raise Refused("has made the connection something else")
    return status, int(length) if length.isdigit() and len(length) < 10 else 0
