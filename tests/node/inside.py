"""Code run in a network namespace: what it opens stays there."""

import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_CLONE_NEWNET = 0x40000000
_ECHO = {4: (8, 0), 6: (128, 129)}


def inside(namespace: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns that is called in a thread in the namespace.

    Python gets os.setns with 3.12.
    """
    result: list[Any] = []

    def entered() -> None:
        with open(f"/run/netns/{namespace}") as file:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(file.fileno(), _CLONE_NEWNET):
                result.append(OSError(ctypes.get_errno(), f"setns {namespace}"))
                return
        try:
            result.append(function(*arguments))
        except Exception as problem:
            result.append(problem)

    thread = threading.Thread(target=entered)
    thread.start()
    thread.join()
    [value] = result
    if isinstance(value, Exception):
        raise value
    return value


def listen(namespace: str, port: int) -> socket.socket:
    """Return a TCP socket that listens there on all addresses of both families."""

    def made() -> socket.socket:
        return socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True
        )

    return inside(namespace, made)


def connects(namespace: str, address: str, port: int, wait_s: float = 0.4) -> bool:
    """Return whether a TCP connection from there to an address comes about."""
    with suppress(OSError):
        connection(namespace, address, port, wait_s).close()
        return True
    return False


def connection(
    namespace: str, address: str, port: int, wait_s: float = 2
) -> socket.socket:
    """
    Return a TCP connection from there to an address.

    :raises OSError: There is no way in this time.
    """
    return inside(namespace, socket.create_connection, (address, port), wait_s)


def datagrams(namespace: str, address: str, port: int = 0) -> socket.socket:
    """Return a UDP socket that is bound to an address there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def made() -> socket.socket:
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.bind((address, port))
        made.settimeout(0.4)
        return made

    return inside(namespace, made)


def pings(namespace: str, address: str, wait_s: float = 0.5) -> bool:
    """Return whether an address answers one echo request from there."""
    return inside(namespace, answers, address, wait_s)


def answers(address: str, wait_s: float) -> bool:
    """Return whether an address answers one echo request."""
    family = 6 if ":" in address else 4
    with _raw(family) as raw:
        mark = os.urandom(2)
        raw.sendto(_echo(family, mark), (address, 0))
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                reply = raw.recv(2048)
            except TimeoutError:
                return False
            body = reply[20:] if family == 4 else reply
            if body[0] == _ECHO[family][1] and body[4:6] == mark:
                return True
        return False


def sends(namespace: str, device: str, frame: bytes) -> None:
    """Send an Ethernet frame there as it is."""

    def sent() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((device, 0))
            raw.send(frame)

    inside(namespace, sent)


def sniffer(namespace: str, device: str) -> socket.socket:
    """Return a socket that gets every frame of a device there."""

    def made() -> socket.socket:
        raw = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)
        )  # all protocols
        raw.bind((device, 0))
        raw.settimeout(0.4)
        return raw

    return inside(namespace, made)


def heard(raw: socket.socket, marker: bytes, wait_s: float = 0.4) -> bool:
    """Return whether a frame with these bytes in it comes in this time."""
    end = time.monotonic() + wait_s
    while (left := end - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            frame = raw.recv(65536)
        except TimeoutError:
            return False
        if marker in frame:
            return True
    return False


def _raw(family: int) -> socket.socket:
    if family == 4:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def _echo(family: int, mark: bytes) -> bytes:
    body = struct.pack(">BBH", _ECHO[family][0], 0, 0) + mark + b"\0\1"
    if family == 6:
        return body  # the kernel adds the checksum
    total = sum(struct.unpack(">4H", body))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return body[:2] + struct.pack(">H", checksum) + body[4:]
