"""A real Keystone, of OpenStack, for tests: SQLite, no cache, one process."""

import os
import sys
from grp import getgrgid
from pathlib import Path
from pwd import getpwuid
from typing import Any

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.web.client import Agent

PASSWORD = "admin secret"
# Where a virtualenv is that has the packages keystone and waitress.
PLACE = "CYCLADES_TEST_KEYSTONE"

_CONFIGURATION = """
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[cache]
enabled = false
"""


@define(eq=False)
class RealKeystone:
    """A Keystone below a folder of its own; started once and stopped at the end."""

    reactor: Any
    virtualenv: Path
    folder: Path
    port: int
    _ended: "Deferred[None]" = field(init=False, factory=Deferred)
    _process: Any = field(init=False, default=None)

    @property
    def url(self) -> str:
        """Of its version 3."""
        return f"http://127.0.0.1:{self.port}/v3"

    async def start(self) -> None:
        """Make its database and keys, start it, and wait until it answers."""
        self.folder.mkdir(parents=True)
        configuration = self.folder / "keystone.conf"
        configuration.write_text(_CONFIGURATION.format(folder=self.folder))
        await self._manage("db_sync")
        owner = ("--keystone-user", getpwuid(os.getuid()).pw_name)
        group = ("--keystone-group", getgrgid(os.getgid()).gr_name)
        for keys in ("fernet_setup", "credential_setup"):
            await self._manage(keys, *owner, *group)
        await self._manage("bootstrap", "--bootstrap-password", PASSWORD)
        command = [
            str(self.virtualenv / "bin" / "waitress-serve"),
            f"--listen=127.0.0.1:{self.port}",
            "keystone.wsgi.api:application",
        ]
        self._process = self.reactor.spawnProcess(
            _Output(self._ended),
            command[0],
            command,
            env=os.environ | {"OS_KEYSTONE_CONFIG_FILES": str(configuration)},
        )
        await self._answers()

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.signalProcess("KILL")
            await self._ended

    async def _manage(self, *command: str) -> None:
        file = str(self.folder / "keystone.conf")
        output, errors, code = await getProcessOutputAndValue(
            str(self.virtualenv / "bin" / "keystone-manage"),
            ["--config-file", file, *command],
            env=os.environ,
            reactor=self.reactor,
        )
        if code:
            raise AssertionError(f"{command[0]}: {(output + errors).decode()[-500:]}")

    async def _answers(self) -> None:
        http = HTTPClient(Agent(self.reactor, connectTimeout=5))
        for _ in range(300):
            try:
                response = await http.get(self.url, timeout=30)
                await response.content()
                return
            except ConnectError:
                await deferLater(self.reactor, 0.2)
        raise AssertionError("Keystone does not answer")


class _Output(ProcessProtocol):
    """Passes on what Keystone says, and tells when it has ended."""

    def __init__(self, ended: "Deferred[None]") -> None:
        self.ended = ended

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)
