"""QEMU's monitor (QMP), for moments only: it takes one client at a time, and that is
to be Ganeti whenever it wants to."""

import array
import contextlib
import json
import socket
import time

from failure import Failed

_TIMEOUT_S = 20.0
_LONGEST = 4 * 1024 * 1024


class NotRunning(Exception):
    """There is no QEMU behind the monitor's socket."""


class Monitor:
    """
    A connection to the monitor of one guest.

    :raises NotRunning: There is no such guest.
    :raises Failed: Nobody answers.
    """

    def __init__(self, path):
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(path)
            self._deadline = time.monotonic() + _TIMEOUT_S
            self._next()  # the greeting, once whoever was here before has gone
            self.execute("qmp_capabilities")
        except (FileNotFoundError, ConnectionRefusedError):
            self._socket.close()
            raise NotRunning from None
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._socket.close()

    def execute(self, command, descriptor=None, **arguments):
        """
        Return what a command answers.

        :param descriptor: A file to hand over with it.
        :raises Failed: It is refused; says why.
        """
        self._deadline = time.monotonic() + _TIMEOUT_S
        said = {"execute": command, "arguments": arguments}
        ancillary = []
        if descriptor is not None:
            handed = array.array("i", [descriptor])
            ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, handed))
        try:
            self._socket.sendmsg([json.dumps(said).encode() + b"\n"], ancillary)
        except OSError as problem:
            raise Failed(f"QEMU's monitor: {problem.strerror or problem}") from None
        while True:
            answer = self._next()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failed(f"QEMU: {command}: {answer['error'].get('desc')}")
            # Anything else is an event.

    def _next(self):
        while b"\n" not in self._rest:
            left = self._deadline - time.monotonic()
            if left <= 0 or len(self._rest) > _LONGEST:
                raise Failed("QEMU's monitor does not answer")
            self._socket.settimeout(left)
            try:
                piece = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as problem:
                raise Failed(f"QEMU's monitor: {problem.strerror}") from None
            if not piece:
                raise Failed("the guest was stopped")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        with contextlib.suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answer
        raise Failed("QEMU's monitor says what makes no sense")
