"""RFB handshakes of both sides, without any connection."""

from twisted.trial.unittest import SynchronousTestCase

from snf.console import des
from snf.console.rfb import Handshake
from snf.console.screens import ScreenHandshake
from snf.console.viewers import ViewerHandshake

CHALLENGE = bytes(range(16))
PASSWORD = b"s3cret-and-longer"
RIGHT = des.response(PASSWORD, CHALLENGE)

V33, V37, V38 = b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"
OK, BAD = b"\0\0\0\0", b"\0\0\0\1"


def said(text: str) -> bytes:
    """Return a reason as RFB has it."""
    return len(text).to_bytes(4, "big") + text.encode()


def hold(handshake: Handshake, *parts: bytes) -> bytes:
    """Return all that a handshake sends which is told these, one after the other."""
    sent = handshake.begin()
    for part in parts:
        sent += handshake.received(part)
        if handshake.wants_tls:
            sent += b"<TLS>" + handshake.secured()
    return sent


class DesTests(SynchronousTestCase):
    """What VNC makes of a password."""

    def test_eight_octets(self) -> None:
        """What is longer than eight octets does not count, what is shorter is filled."""
        same = des.response(b"12345678", CHALLENGE)
        self.assertEqual(same, des.response(b"123456789", CHALLENGE))
        short = des.response(b"1234567", CHALLENGE)
        self.assertEqual(short, des.response(b"1234567\0", CHALLENGE))
        self.assertNotEqual(same, short)


class ViewerTests(SynchronousTestCase):
    """A viewer comes."""

    def case(
        self,
        parts: tuple[bytes, ...],
        sent: bytes,
        failed: str | None = None,
        **given: object,
    ) -> ViewerHandshake:
        """Hold one in pieces of every size; return it."""
        given = {"password": PASSWORD, "challenge": CHALLENGE, **given}
        whole = b"".join(parts)
        for size in (1, 2, 3, 5, 64):
            pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
            handshake = ViewerHandshake(**given)  # type: ignore[arg-type]
            self.assertEqual(V38 + sent, hold(handshake, *pieces))
            self.assertEqual(failed, handshake.failed)
            self.assertEqual(failed is None, handshake.done)
        return handshake

    def test_password(self) -> None:
        """Whoever knows the password is let in, by every version."""
        offer = b"\1\2" + CHALLENGE + OK
        self.case((V38, b"\2", RIGHT), offer)
        self.case((V37, b"\2", RIGHT), offer)
        self.case((V33, RIGHT), b"\0\0\0\2" + CHALLENGE + OK)

    def test_none(self) -> None:
        """Whoever has shown a token needs none; only 3.8 has a result then."""
        self.case((V38, b"\1"), b"\1\1" + OK, password=None)
        self.case((V37, b"\1"), b"\1\1", password=None)
        self.case((V33,), b"\0\0\0\1", password=None)

    def test_wrong(self) -> None:
        """Whoever does not know it is told so, with a reason where there is room."""
        wrong = des.response(b"another", CHALLENGE)
        why = "wrong password"
        offer = b"\1\2" + CHALLENGE + BAD
        self.case((V38, b"\2", wrong), offer + said(why), why)
        self.case((V37, b"\2", wrong), offer, why)
        self.case((V33, wrong), b"\0\0\0\2" + CHALLENGE + BAD, why)

    def test_not_offered(self) -> None:
        """No viewer gets around the password by choosing another type."""
        why = "security type not offered"
        for kind in (0, 1, 5, 16, 19, 255):
            self.case((V38, bytes([kind])), b"\1\2" + BAD + said(why), why)
            self.case((V37, bytes([kind])), b"\1\2" + BAD, why)

    def test_refusal(self) -> None:
        """Why there is no console is said before anything is asked for."""
        why = "the server is off"
        self.case((V38,), b"\0" + said(why), why, refusal=why)
        self.case((V37,), b"\0" + said(why), why, refusal=why)
        self.case((V33,), OK + said(why), why, refusal=why)

    def test_versions(self) -> None:
        """Newer versions are 3.8, unknown ones 3.3, and what is none is refused."""
        for line in (b"RFB 003.889\n", b"RFB 004.001\n", b"RFB 005.000\n"):
            self.case((line, b"\1"), b"\1\1" + OK, password=None)
        for line in (b"RFB 003.005\n", b"RFB 003.004\n", b"RFB 000.000\n"):
            self.case((line,), b"\0\0\0\1", password=None)
        for line in (b"GET / HTTP/1", b"RFB 003.0x8\n", b"RFB 003.008\r", bytes(12)):
            self.case((line,), b"", "does not speak RFB")

    def test_rest(self) -> None:
        """What comes behind the handshake is kept, unless it failed."""
        handshake = ViewerHandshake(PASSWORD, CHALLENGE)
        hold(handshake, V38 + b"\2" + RIGHT + b"\1", b"more")
        self.assertEqual(b"\1more", handshake.rest)
        handshake = ViewerHandshake(PASSWORD, CHALLENGE)
        hold(handshake, V38 + b"\2" + bytes(16) + b"\1", b"more")
        self.assertEqual(b"", handshake.rest)


class ScreenTests(SynchronousTestCase):
    """A node's VNC server is asked."""

    def case(
        self,
        parts: tuple[bytes, ...],
        sent: bytes,
        failed: str | None = None,
        **given: object,
    ) -> None:
        """Hold one in pieces of every size."""
        for size in (1, 2, 3, 64):
            pieces = [
                part[at : at + size]
                for part in parts
                for at in range(0, len(part), size)
            ]
            handshake = ScreenHandshake(**given)  # type: ignore[arg-type]
            self.assertEqual(sent, hold(handshake, *pieces))
            self.assertEqual(failed, handshake.failed)
            self.assertEqual(failed is None, handshake.done)

    def test_none(self) -> None:
        """A server without a password."""
        self.case((V38, b"\1\1", OK), V38 + b"\1")
        self.case((V38, b"\3\2\1\x13", OK), V38 + b"\1", tls=False)
        self.case((V37, b"\1\1"), V37 + b"\1")
        self.case((V33, b"\0\0\0\1"), V33)

    def test_password(self) -> None:
        """A server with one."""
        self.case((V38, b"\1\2", CHALLENGE, OK), V38 + b"\2" + RIGHT, password=PASSWORD)
        self.case((V37, b"\1\2", CHALLENGE, OK), V37 + b"\2" + RIGHT, password=PASSWORD)
        self.case((V33, b"\0\0\0\2", CHALLENGE, OK), V33 + RIGHT, password=PASSWORD)

    def test_tls(self) -> None:
        """TLS is chosen where it is offered, whatever else is."""
        self.case(
            (V38, b"\2\1\x13", b"\0\2", b"\0", b"\1\0\0\1\4", b"\1", OK),
            V38 + b"\x13\0\2\0\0\1\4<TLS>",
        )
        self.case(
            (V38, b"\1\x13", b"\0\2", b"\0", b"\1\0\0\1\5", b"\1", CHALLENGE, OK),
            V38 + b"\x13\0\2\0\0\1\5<TLS>" + RIGHT,
            password=PASSWORD,
        )

    def test_refused(self) -> None:
        """Whatever the server refuses, with a reason where it gives one."""
        no = "too many\nviewers"
        self.case((V38, b"\0" + said(no)), V38, "too many viewers")
        self.case((V37, b"\0" + said("")), V37, "refused without a reason")
        self.case((V33, OK + said(no)), V33, "too many viewers")
        self.case((V38, b"\1\1", BAD + said(no)), V38 + b"\1", "too many viewers")
        self.case(
            (V37, b"\1\2", CHALLENGE, BAD),
            V37 + b"\2" + RIGHT,
            "authentication failed",
            password=PASSWORD,
        )
        self.case((b"SSH-2.0-Open",), b"", "does not speak RFB")

    def test_nothing_in_common(self) -> None:
        """Each lack is named."""
        no_password = "wants a password, and none is configured"
        self.case((V38, b"\1\2"), V38, no_password)
        self.case((V33, b"\0\0\0\2"), V33, no_password)
        self.case((V38, b"\1\x13"), V38, "wants TLS, which is switched off", tls=False)
        self.case(
            (V38, b"\2\1\2"), V38, "offers no TLS, which is required", plain=False
        )
        self.case((V38, b"\2\5\6"), V38, "offers no security type that is known: 5, 6")

    def test_vencrypt(self) -> None:
        """Each way not to agree on TLS is named."""
        start = V38, b"\1\x13"
        says = V38 + b"\x13"
        self.case((*start, b"\0\1"), says, "speaks an old VeNCrypt")
        no = "does not speak VeNCrypt 0.2"
        self.case((*start, b"\0\2", b"\1"), says + b"\0\2", no)
        self.case(
            (*start, b"\0\2", b"\0", b"\1\0\0\1\1"),
            says + b"\0\2",
            "offers no VeNCrypt type with a certificate: 257",
        )
        self.case(
            (*start, b"\0\2", b"\0", b"\1\0\0\1\5"),
            says + b"\0\2",
            "wants a password, and none is configured",
        )
        self.case(
            (*start, b"\0\2", b"\0", b"\1\0\0\1\4", b"\0"),
            says + b"\0\2\0\0\1\4",
            "does not go on with TLS",
        )

    def test_injected(self) -> None:
        """What somebody sends in the clear just before TLS begins counts for nothing."""
        handshake = ScreenHandshake()
        sent = handshake.begin()
        for part in (V38, b"\1\x13", b"\0\2\0\1\0\0\1\4", b"\1" + OK):
            sent += handshake.received(part)
        self.assertEqual("sends something before TLS has begun", handshake.failed)
