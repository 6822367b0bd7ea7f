"""The handshake with a viewer, to whom we are the VNC server."""

from hmac import compare_digest

from attrs import define

from snf.console import des
from snf.console.rfb import (
    FAILED,
    NEWEST,
    OK,
    Conversation,
    Handshake,
    Refused,
    Security,
    Version,
    reason,
    version,
)


@define(eq=False)
class ViewerHandshake(Handshake):
    """
    Lets a viewer in that knows the password, in one attempt.

    :param password: None for one who has shown in another way who he is.
    :param challenge: 16 random octets.
    :param refusal: Why nobody is let in at all.
    """

    password: bytes | None = None
    challenge: bytes = b""
    refusal: str | None = None

    def conversation(self) -> Conversation:
        """Version, security type, authentication."""
        self.say(NEWEST)
        spoken = version((yield len(NEWEST)))
        if self.refusal is not None:
            self._refuse(spoken, self.refusal)
        offered = Security.NONE if self.password is None else Security.VNC
        yield from self._choose(spoken, offered)
        if self.password is not None:
            yield from self._authenticate(spoken, self.password)
        elif spoken is Version.V3_8:
            self.say(OK)

    def _refuse(self, spoken: Version, why: str) -> None:
        """Offer no security type, and say why."""
        none = b"\0" if spoken >= Version.V3_7 else Security.INVALID.to_bytes(4, "big")
        self.say(none + reason(why))
        raise Refused(why)

    def _choose(self, spoken: Version, offered: Security) -> Conversation:
        if spoken is Version.V3_3:
            self.say(offered.to_bytes(4, "big"))
            return
        self.say(bytes([1, offered]))
        if (yield 1)[0] != offered:
            self._fail(spoken, "security type not offered")

    def _authenticate(self, spoken: Version, password: bytes) -> Conversation:
        self.say(self.challenge)
        answer = yield des.CHALLENGE
        if not compare_digest(answer, des.response(password, self.challenge)):
            self._fail(spoken, "wrong password")
        self.say(OK)

    def _fail(self, spoken: Version, why: str) -> None:
        """Say that it is over; before 3.8 there is no place for a reason."""
        self.say(FAILED + (reason(why) if spoken is Version.V3_8 else b""))
        raise Refused(why)
