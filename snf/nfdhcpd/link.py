"""A tap as the kernel has it: its number, and the socket that answers leave by."""

import errno
import os
import socket
from ipaddress import IPv6Address
from pathlib import Path

from attrs import define, field

_ADDRESSES = Path("/proc/net/if_inet6")
_LINK_SCOPE, _DADFAILED = 0x20, 0x08  # linux/ipv6.h, linux/if_addr.h


def number_of(interface: str) -> int:
    """Return an interface's index; 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def mac_of(interface: str) -> bytes | None:
    """Return an interface's MAC address; ``None`` where it is not there, or has none."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        try:
            raw.bind((interface, 0))
        except OSError:
            return None
        mac: bytes = raw.getsockname()[4]
        return mac if len(mac) == 6 else None


def link_local_of(interface: str) -> IPv6Address | None:
    """
    Return an interface's link-local IPv6 address; ``None`` where it has none.

    Of several the lowest: those that are given come before those that the kernel makes.
    """
    try:
        lines = _ADDRESSES.read_text("ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return None
    found = []
    for line in lines:
        digits, _, _, scope, flags, name = line.split()
        usable = not int(flags, 16) & _DADFAILED
        if name == interface and int(scope, 16) == _LINK_SCOPE and usable:
            found.append(IPv6Address(bytes.fromhex(digits)))
    return min(found, default=None)


@define(eq=False)
class Link:
    """
    A way to send frames to a tap, for as long as it is the same one.

    Of protocol 0, the socket is handed nothing that others send.
    """

    name: str
    number: int
    _socket: socket.socket | None = field(init=False, default=None)

    def send(self, frame: bytes) -> str:
        """
        Send a frame, without waiting.

        :return: "" or why it could not be sent, in the system's words.
        """
        problem = self._try(frame)
        if problem in (0, errno.EAGAIN, errno.ENOBUFS):
            return os.strerror(problem) if problem else ""
        # It was down, or is gone, or its name is somebody else's now.
        self.close()
        problem = self._try(frame)
        return os.strerror(problem) if problem else ""

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _try(self, frame: bytes) -> int:
        try:
            if self._socket is None:
                self._open()
            assert self._socket is not None
            self._socket.send(frame)
        except OSError as failure:
            return failure.errno or errno.EIO
        return 0

    def _open(self) -> None:
        """:raises OSError: The tap is not there any more."""
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            raw.setblocking(False)
            raw.bind((self.name, 0))
            # The name is looked up by the kernel: it must still mean the same tap after.
            if number_of(self.name) != self.number:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        except OSError:
            raw.close()
            raise
        self._socket = raw
