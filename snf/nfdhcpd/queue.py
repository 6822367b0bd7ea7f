"""Packets from a netfilter queue (NFQUEUE)."""

import errno
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from attrs import define, field
from netfilterqueue import COPY_PACKET, NetfilterQueue
from twisted.logger import Logger

from snf.descriptor import Descriptor
from snf.nfdhcpd.responder import Packet

# What is copied of a packet; the binding of NetfilterQueue reads 4,096 with what is
# around it, and would lose what is longer together with its verdict.
COPIED = 2048
# Packets taken in one turn of the reactor, some 8 us each: reading until there is no
# more would leave all else undone while somebody floods.
_AT_ONCE = 128
_RECEIVE_BYTES = 4_194_304


@define(eq=False)
class _Bounded:
    """
    Stands for the queue's socket, and says after some packets that there are no more.

    After the first one it asks whether there are: the socket's own word that there are
    none is an exception with the system's words, which takes longer.
    """

    _socket: socket.socket
    _poll: select.poll
    _left: int = 0
    overruns: int = 0

    def refill(self) -> None:
        """Let some more packets through."""
        self._left = _AT_ONCE

    def recv(self, size: int) -> bytes:
        """Return a message of the kernel's, as ``NetfilterQueue.run_socket`` asks."""
        while self._left > 0:
            if self._left < _AT_ONCE and not self._poll.poll(0):
                break
            self._left -= 1
            try:
                return self._socket.recv(size, socket.MSG_DONTWAIT)
            except OSError as failure:
                if failure.errno == errno.ENOBUFS:
                    self.overruns += 1  # the kernel has dropped packets for us
                elif failure.errno != errno.EINTR:
                    raise
        raise BlockingIOError(errno.EAGAIN, "nothing more for now")


def packet_of(raw: Any) -> Packet:
    """Return a packet of the queue's with what is kept of it beyond its verdict."""
    source = raw.get_hw()
    return Packet(raw.get_payload(), source and source[:6])


@define(eq=False)
class Queue(Descriptor):
    """
    One queue, while it runs.

    ``taken(interface, raw)`` is called for each packet, of which ``packet_of`` makes ours,
    and returns whether it is to be dropped; else it goes on its way. Each packet has its
    verdict before the next one is looked at, whatever comes of it afterwards. After some
    packets ``read()`` is called.
    """

    _log = Logger()

    number: int
    length: int
    taken: Callable[[int, Any], bool]
    read: Callable[[], None] = lambda: None
    _queue: Any = field(init=False, default=None)
    _socket: socket.socket | None = field(init=False, default=None)
    _bounded: _Bounded | None = field(init=False, default=None)
    _overruns: int = field(init=False, default=0)

    @property
    def overruns(self) -> int:
        """How often the kernel said that it dropped packets for want of space."""
        now = self._bounded.overruns if self._bounded is not None else 0
        return self._overruns + now

    def fileno(self) -> int:
        """See ``IReadDescriptor``."""
        return self._socket.fileno() if self._socket is not None else -1

    def logPrefix(self) -> str:
        """See ``IReadDescriptor``."""
        return f"Queue {self.number}"

    def doRead(self) -> None:
        """Take some packets; what is left keeps the descriptor readable."""
        if self._bounded is None:
            return
        self._bounded.refill()
        try:
            self._queue.run_socket(self._bounded)
        except OSError as failure:
            self.lose(str(failure))
        self.read()

    def _packet(self, raw: Any) -> None:
        """Give a packet its verdict; an exception here would leave it without one."""
        ours = True
        try:
            # The port of a bridge, if it came by one.
            ours = self.taken(raw.physindev or raw.indev, raw)
        except Exception:
            self._log.failure("a packet could not be taken")
        if ours:
            raw.drop()
        else:
            raw.accept()

    def make(self) -> None:
        """See ``Descriptor``."""
        self._queue = NetfilterQueue()
        self._queue.bind(
            self.number,
            self._packet,
            max_len=self.length,
            mode=COPY_PACKET,
            range=COPIED,
            sock_len=_RECEIVE_BYTES,
        )
        self._socket = socket.socket(fileno=os.dup(self._queue.get_fd()))
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        self._bounded = _Bounded(self._socket, poll)

    def made(self, again: bool) -> None:
        """See ``Descriptor``."""
        self._log.info("reading queue {number}", number=self.number)

    def unmake(self) -> None:
        """See ``Descriptor``."""
        if self._socket is not None:
            self._overruns, self._bounded = self.overruns, None
            self._socket.close()
            self._socket = None
        if self._queue is not None:
            self._queue.unbind()
            self._queue = None

    def say(self, problem: str) -> None:
        """See ``Descriptor``."""
        self._log.error(
            "queue {number} cannot be read: {problem}; is it somebody else's?",
            number=self.number,
            problem=problem,
        )
