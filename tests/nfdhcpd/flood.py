"""A guest that sends as fast as it can."""

import subprocess
import sys

from attrs import define, field

_CODE = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((sys.argv[1], 0))
frame = bytes.fromhex(sys.argv[2])
print("ready", flush=True)
while True:
    try:
        raw.send(frame)
    except OSError:
        pass
"""


@define(eq=False)
class Flood:
    """Sends a frame for as long as it is entered, in a process of its own."""

    namespace: str
    device: str
    frame: bytes
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> None:
        argv = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", _CODE]
        self._process = subprocess.Popen(
            [*argv, self.device, self.frame.hex()], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
