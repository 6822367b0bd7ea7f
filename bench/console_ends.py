"""The ends of consoles for ``bench.console``: screens, a proxy of ours, busy viewers.

Each is a program of its own, so that none of them waits for another's turn:

    python -m bench.console_ends screens PORT
    python -m bench.console_ends proxy PORT SCREENS
    python -m bench.console_ends viewers PORT HOW_MANY
"""

import selectors
import socket
import sys
import time
from collections.abc import Callable

# What a viewer's first byte asks of a screen.
GIVE, ECHO, BUSY = b"G", b"E", b"B"
GIVEN_BYTES = 2**30
# 10 Mbit/s, 30 pictures a second.
PICTURE = bytes(10_000_000 // 8 // 30)
_TICK_S = 1 / 30
_PIECE = bytes(65_536)
_MASK = b"\0\0\0\0"

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: binary\r\n\r\n"
)


def connect(port: int, websocket: bool) -> socket.socket:
    """Return a connection to a port, with a WebSocket agreed on or not."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if websocket:
        connection.sendall(UPGRADE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        if b" 101 " not in head:
            raise SystemExit(f"no WebSocket: {head!r}")
    return connection


def said(data: bytes, websocket: bool) -> bytes:
    """Return some bytes as a viewer sends them."""
    if not websocket:
        return data
    return bytes((0x82, 0x80 | len(data))) + _MASK + data


def screens(port: int) -> None:
    """Serve screens that do what their viewers' first byte says."""
    chosen = selectors.DefaultSelector()
    listening = socket.create_server(("127.0.0.1", port), backlog=4096)
    chosen.register(listening, selectors.EVENT_READ, None)
    busy: dict[socket.socket, float] = {}
    begun: dict[socket.socket, bytes] = {}
    while True:
        for key, _ in chosen.select(0.001 if busy else None):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if connection is listening:
                new, _ = listening.accept()
                new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chosen.register(new, selectors.EVENT_READ, None)
                continue
            try:
                data = connection.recv(4096)
            except OSError:
                data = b""
            if not data:
                chosen.unregister(connection)
                begun.pop(connection, None)
                busy.pop(connection, None)
                connection.close()
            elif connection in begun:
                if begun[connection] == ECHO:
                    connection.sendall(data)
            else:
                begun[connection] = data[:1]
                _begin(connection, data[:1], busy)
        _draw(busy)


def _begin(connection: socket.socket, what: bytes, busy: dict) -> None:
    if what == GIVE:
        for _ in range(GIVEN_BYTES // len(_PIECE)):
            connection.sendall(_PIECE)
        connection.shutdown(socket.SHUT_WR)
    elif what == ECHO:
        connection.sendall(what)
    elif what == BUSY:
        # Not all at the same moment.
        busy[connection] = time.monotonic() + len(busy) % 30 * _TICK_S / 30


def _draw(busy: dict[socket.socket, float]) -> None:
    now = time.monotonic()
    for connection, due in list(busy.items()):
        if due <= now:
            try:
                connection.sendall(PICTURE)
            except OSError:
                del busy[connection]
                continue
            busy[connection] = due + _TICK_S


def proxy(port: int, target: int) -> None:
    """Relay WebSockets with what vncauthproxy and the API relay them with."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.protocol import Factory

    from snf.console.node import NodeSettings, open_stream
    from snf.console.peer import StreamPeer
    from snf.console.relay import Relay
    from snf.console.upgrading import upgraded

    async def serve(stream: StreamPeer) -> None:
        viewer = await upgraded(reactor, stream, 30)
        screen = await open_stream(reactor, "127.0.0.1", target, NodeSettings())
        relay = Relay(viewer, screen)
        relay.start()
        await relay.ended

    class Viewer(StreamPeer):
        def connectionMade(self) -> None:
            super().connectionMade()
            Deferred.fromCoroutine(serve(self)).addErrback(lambda failure: None)

    class Viewers(Factory):
        noisy = False

        def buildProtocol(self, address: object) -> Viewer:
            return Viewer(reactor)

    reactor.listenTCP(port, Viewers(), 4096, "127.0.0.1")
    reactor.run()


def viewers(port: int, count: int) -> None:
    """Look at so many busy screens, and say how many bytes came each second."""
    chosen = selectors.DefaultSelector()
    for _ in range(count):
        connection = connect(port, websocket=True)
        connection.sendall(said(BUSY, websocket=True))
        connection.setblocking(False)
        chosen.register(connection, selectors.EVENT_READ)
    buffer = bytearray(262_144)
    print("ready", flush=True)
    got, told = 0, time.monotonic()
    while True:
        for key, _ in chosen.select(0.2):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            got += connection.recv_into(buffer)
        if time.monotonic() - told >= 1:
            print(got, flush=True)
            got, told = 0, time.monotonic()


_PROGRAMS: dict[str, Callable[..., None]] = {
    "screens": screens,
    "proxy": proxy,
    "viewers": viewers,
}

if __name__ == "__main__":
    _PROGRAMS[sys.argv[1]](*map(int, sys.argv[2:]))
