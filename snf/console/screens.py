"""The handshake with a node's VNC server, to which we are the viewer."""

from collections.abc import Generator
from enum import IntEnum

from attrs import define

from snf.console import des
from snf.console.rfb import (
    NEWEST,
    Conversation,
    Handshake,
    Refused,
    Security,
    Version,
    greeting,
    hear_reason,
    version,
)

_VENCRYPT_0_2 = b"\0\2"


class Encrypted(IntEnum):
    """The ways of VeNCrypt in which the server proves by a certificate who it is."""

    X509_NONE = 260
    X509_VNC = 261


@define(eq=False)
class ScreenHandshake(Handshake):
    """
    Gets us in at a node's VNC server.

    :param password: The server's; None where it has none.
    :param tls: Whether TLS may be spoken.
    :param plain: Whether it need not be.
    """

    password: bytes | None = None
    tls: bool = True
    plain: bool = True

    def conversation(self) -> Conversation:
        """Version, security type, TLS where there is some, authentication."""
        spoken = version((yield len(NEWEST)))
        self.say(greeting(spoken))
        kind = yield from self._kind(spoken)
        result = spoken is Version.V3_8
        if kind is Security.VENCRYPT:
            kind = yield from self._encrypt()
            result = True
        if kind is Security.VNC:
            self.say(des.response(self.password or b"", (yield des.CHALLENGE)))
            result = True
        if result:
            yield from self._result(spoken)

    def _kind(self, spoken: Version) -> Generator[int, bytes, Security]:
        """Return the security type that both want."""
        if spoken is Version.V3_3:
            offered = [int.from_bytes((yield 4), "big")]
        else:
            offered = list((yield (yield 1)[0]))
        if not offered or offered == [Security.INVALID]:
            raise Refused((yield from hear_reason()) or "refused without a reason")
        for kind in self._spoken():
            if kind in offered:
                if spoken is not Version.V3_3:
                    self.say(bytes([kind]))
                return kind
        raise Refused(self._nothing(offered))

    def _spoken(self) -> list[Security]:
        """Return what we would take, the best first."""
        kinds = [Security.VENCRYPT] if self.tls else []
        if self.plain:
            kinds.append(Security.NONE)
            if self.password is not None:
                kinds.append(Security.VNC)
        return kinds

    def _nothing(self, offered: list[int]) -> str:
        if Security.VNC in offered and self.plain:
            return "wants a password, and none is configured"
        if Security.VENCRYPT in offered:
            return "wants TLS, which is switched off"
        if not self.plain:
            return "offers no TLS, which is required"
        return f"offers no security type that is known: {', '.join(map(str, offered))}"

    def _encrypt(self) -> Generator[int, bytes, Security]:
        """Begin TLS as VeNCrypt 0.2 has it; return what authenticates within."""
        if (yield 2) < _VENCRYPT_0_2:
            raise Refused("speaks an old VeNCrypt")
        self.say(_VENCRYPT_0_2)
        if (yield 1) != b"\0":
            raise Refused("does not speak VeNCrypt 0.2")
        listed = yield 4 * (yield 1)[0]
        offered = [
            int.from_bytes(listed[at : at + 4], "big")
            for at in range(0, len(listed), 4)
        ]
        kind, inner = self._inner(offered)
        self.say(kind.to_bytes(4, "big"))
        if (yield 1) != b"\1":
            raise Refused("does not go on with TLS")
        self.wants_tls = True
        yield 0
        return inner

    def _inner(self, offered: list[int]) -> tuple[Encrypted, Security]:
        if Encrypted.X509_NONE in offered:
            return Encrypted.X509_NONE, Security.NONE
        if Encrypted.X509_VNC not in offered:
            known = ", ".join(map(str, offered))
            raise Refused(f"offers no VeNCrypt type with a certificate: {known}")
        if self.password is None:
            raise Refused("wants a password, and none is configured")
        return Encrypted.X509_VNC, Security.VNC

    def _result(self, spoken: Version) -> Conversation:
        if not int.from_bytes((yield 4), "big"):
            return
        why = ""
        if spoken is Version.V3_8:
            why = yield from hear_reason()
        raise Refused(why or "authentication failed")
