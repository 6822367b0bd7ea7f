"""WebSocket's frames and upgrade, without any connection."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.console import frames
from snf.console.frames import FrameReader, Violation
from snf.console.upgrade import BadUpgrade, accept

MASK = b"\x37\xfa\x21\x3d"
LARGEST = 1_000_000
ASKED = {
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def sent(
    data: bytes = b"",
    opcode: int = frames.BINARY,
    final: bool = True,
    mask: bytes = MASK,
) -> bytes:
    """Return a frame as a client sends it."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    masked = bytes(octet ^ mask[at % 4] for at, octet in enumerate(data))
    return bytes([(0x80 if final else 0) | opcode]) + length + mask + masked


class FrameTests(SynchronousTestCase):
    """What a client sends is understood."""

    def read(self, data: bytes, size: int = 1 << 30) -> frames.Heard:
        """Return all that is in some bytes, read in pieces."""
        reader = FrameReader(LARGEST)
        payload, ping, closed = b"", None, None
        for at in range(0, len(data), size):
            heard = reader.heard(data[at : at + size])
            payload += heard.data
            ping = heard.ping if heard.ping is not None else ping
            closed = heard.closed or closed
            if closed:
                break
        return frames.Heard(payload, ping, closed)

    def refused(self, data: bytes) -> int:
        """Return with what code some bytes are refused, in pieces of any size."""
        codes = set()
        for size in (1, 2, 3, 1000):
            with self.assertRaises(Violation) as caught:
                self.read(data, size)
            codes.add(caught.exception.code)
        [code] = codes
        return code

    def test_example(self) -> None:
        """The masked example of RFC 6455, section 5.7, though as a binary message."""
        data = bytes.fromhex("828537fa213d7f9f4d5158")
        self.assertEqual(b"Hello", self.read(data).data)
        self.assertEqual(b"\x82\x05Hello", frames.frame(frames.BINARY, b"Hello"))

    def test_sizes(self) -> None:
        """Each of the three forms of a length, at its bounds, in pieces."""
        dice = random.Random(1)
        for length in (0, 1, 125, 126, 127, 65_535, 65_536, 70_001):
            data = dice.randbytes(length)
            for size in (7, 8192, 1 << 30):
                self.assertEqual(data, self.read(sent(data), size).data)
            self.assertEqual(
                data, frames.frame(frames.BINARY, data)[-length or 99_999 :]
            )

    @given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
    def test_pieces(self, messages: list[bytes], size: int) -> None:
        """However messages are cut, the same bytes come out."""
        data = b"".join(map(sent, messages))
        self.assertEqual(b"".join(messages), self.read(data, size).data)

    def test_fragments(self) -> None:
        """A message in parts, with a ping between them."""
        data = (
            sent(b"ab", final=False)
            + sent(b"p1", frames.PING)
            + sent(b"", frames.CONTINUATION, final=False)
            + sent(b"p2", frames.PING)
            + sent(b"cd", frames.CONTINUATION)
            + sent(b"ef")
        )
        for size in (1, 5, 1000):
            heard = self.read(data, size)
            self.assertEqual((b"abcdef", b"p2"), (heard.data, heard.ping))

    def test_closed(self) -> None:
        """What comes before the closing counts, what comes after does not."""
        close = sent((1001).to_bytes(2, "big") + b"bye", frames.CLOSE)
        heard = self.read(sent(b"last") + close + sent(b"never"))
        self.assertEqual((b"last", 1001), (heard.data, heard.closed))
        self.assertEqual(1000, self.read(sent(b"", frames.CLOSE)).closed)

    def test_refused(self) -> None:
        """Each thing that a client may not do, with its code."""
        ours = frames.frame(frames.BINARY, b"not masked")
        protocol, text = frames.PROTOCOL_ERROR, frames.UNSUPPORTED
        for data, code in (
            (ours, protocol),
            (b"\xc2\x80" + MASK, protocol),  # compressed, which nobody agreed on
            (b"\xa2\x80" + MASK, protocol),
            (sent(b"x", frames.TEXT), text),
            (sent(b"x", 0x3), protocol),
            (sent(b"x", 0xB), protocol),
            (sent(b"x", frames.CONTINUATION), protocol),
            (sent(b"x", final=False) + sent(b"y"), protocol),
            (sent(b"x", frames.PING, final=False), protocol),
            (sent(bytes(126), frames.PING), protocol),
            (b"\x82\xff" + (LARGEST + 1).to_bytes(8, "big") + MASK, frames.TOO_BIG),
            (b"\x82\xff" + b"\xff" * 8 + MASK, frames.TOO_BIG),
            (sent(b"\x03", frames.CLOSE), protocol),
            (sent((1005).to_bytes(2, "big"), frames.CLOSE), protocol),
            (sent((999).to_bytes(2, "big"), frames.CLOSE), protocol),
            (sent((1000).to_bytes(2, "big") + b"\xff", frames.CLOSE), 1007),
        ):
            self.assertEqual(code, self.refused(data), data)

    @given(st.binary(max_size=400))
    def test_arbitrary(self, data: bytes) -> None:
        """Whatever comes, it is read or refused, and never more comes out than went in."""
        try:
            heard = self.read(data, 13)
        except Violation:
            return
        self.assertLessEqual(len(heard.data), len(data))

    def test_closing(self) -> None:
        """A reason that is too long is cut between characters."""
        said = frames.closing(frames.GOING_AWAY, "é" * 100)
        self.assertEqual(b"\x88\x7c\x03\xe9" + "é".encode() * 61, said)


class UpgradeTests(SynchronousTestCase):
    """A request becomes a WebSocket, or is refused."""

    def ask(self, method: str = "GET", **headers: str | None) -> bytes:
        """Return the answer to a request that is like the RFC's but for some headers."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return accept(method, {**ASKED, **changed}.get).answer

    def refused(self, method: str = "GET", **headers: str | None) -> int:
        """Return the status with which it is refused."""
        with self.assertRaises(BadUpgrade) as caught:
            self.ask(method, **headers)
        return caught.exception.code

    def test_example(self) -> None:
        """The example of RFC 6455, section 1.3."""
        self.assertEqual(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            self.ask(),
        )

    def test_subprotocol(self) -> None:
        """Of the subprotocols, binary is taken; of extensions, none."""
        answer = self.ask(
            sec_websocket_protocol="base64, binary",
            sec_websocket_extensions="permessage-deflate; client_max_window_bits",
        )
        self.assertIn(b"\r\nSec-WebSocket-Protocol: binary\r\n", answer)
        self.assertNotIn(b"Extensions", answer)
        self.assertEqual(400, self.refused(sec_websocket_protocol="base64"))

    def test_refused(self) -> None:
        """Each thing that is missing or wrong."""
        self.assertEqual(405, self.refused("POST"))
        self.assertEqual(426, self.refused(upgrade=None))
        self.assertEqual(426, self.refused(upgrade="h2c"))
        self.assertEqual(426, self.refused(connection="keep-alive"))
        for value in (None, "8", "13, 8"):
            self.assertEqual(426, self.refused(sec_websocket_version=value))
        for value in (None, "", "x", "dGhlIHNhbXBsZQ==", "é" * 24):
            self.assertEqual(400, self.refused(sec_websocket_key=value))
