"""A tap as the kernel has it: its number, and how answers get to it."""

import ctypes
import fcntl
import os
import socket
import struct

from attrs import define, field

# packet(7): struct sockaddr_ll; netdevice(7): struct ifreq.
_ADDRESS = struct.Struct("=HHiHBB8s")
_REQUEST = struct.Struct("=16s24x")
_MAC = struct.Struct("=16xH6s")
_SIOCGIFHWADDR = 0x8927
_ETHERNET = 1
_LONGEST_NAME = 15

_sendto = ctypes.CDLL(None, use_errno=True).sendto
_sendto.argtypes = (
    *(ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int),
    *(ctypes.c_char_p, ctypes.c_uint),
)
_sendto.restype = ctypes.c_ssize_t


def number_of(interface: str) -> int:
    """Return an interface's index; 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def mac_of(interface: str) -> bytes | None:
    """Return an interface's MAC address; ``None`` where it is not there, or has none."""
    name = os.fsencode(interface)
    if len(name) > _LONGEST_NAME:
        return None
    request = bytearray(_REQUEST.pack(name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        try:
            fcntl.ioctl(some, _SIOCGIFHWADDR, request)
        except OSError:
            return None
    kind, mac = _MAC.unpack_from(request)
    return mac if kind == _ETHERNET else None


@define(eq=False)
class Outlet:
    """
    The socket that answers leave by, to whichever tap.

    There is one for all taps, since the kernel takes 10 ms and more to give a socket of
    this kind back. Of protocol 0, it is handed nothing that others send.
    """

    _socket: socket.socket | None = field(init=False, default=None)

    def send(self, number: int, frame: bytes) -> str:
        """
        Send a frame to the interface with a number, without waiting.

        Python's own ``sendto`` takes names, which may mean another interface by now.

        :return: "" or why it could not be sent, in the system's words.
        """
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as failure:
            return str(failure.strerror)
        address = _ADDRESS.pack(socket.AF_PACKET, 0, number, 0, 0, 0, b"")
        flags = socket.MSG_DONTWAIT
        sent = _sendto(
            *(self._socket.fileno(), frame, len(frame), flags, address, len(address))
        )
        return "" if sent >= 0 else os.strerror(ctypes.get_errno())

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@define(eq=False)
class Link:
    """A way to send frames to a tap, for as long as it is the same one."""

    name: str
    number: int
    outlet: Outlet = field(factory=Outlet)

    def send(self, frame: bytes) -> str:
        """
        Send a frame, without waiting.

        :return: "" or why it could not be sent, in the system's words.
        """
        return self.outlet.send(self.number, frame)
