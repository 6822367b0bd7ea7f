"""The programs ``openstack`` and ``nova``, without what it costs to start them.

Either takes a second to start, most of it to import itself, and a journey calls it
dozens of times.  So a process that has the modules already (the fork server of
``multiprocessing``) is forked for each call: every command runs in a process of its own,
by the same entry point and with the same environment as from a shell, in a fifth of the
time.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import orjson
from attrs import frozen

_LONGEST_S = 120

# The entry points, as setup.cfg of each has them, and what they would import later.
_MAIN = {
    "openstack": "openstackclient.shell",
    "nova": "novaclient.shell",
}
_LATER = (
    "keystoneauth1.loading.session",
    "keystoneclient.v3.client",
    "novaclient.v2.client",
    "openstack.compute.v2._proxy",
    "openstack.connection",
    "openstack.identity.v3._proxy",
    "openstack.image.v2._proxy",
    "openstack.network.v2._proxy",
    "openstackclient.compute.v2.server",
    "openstackclient.network.common",
)

_context = get_context("forkserver")
_context.set_forkserver_preload([*_MAIN.values(), *_LATER])


class Refused(Exception):
    """The program ended with an error; the text is what it printed."""


@frozen
class Program:
    """
    A program and the environment that it is called in.

    :ivar options: What comes before each command.
    """

    name: str
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()

    def __call__(self, command: str, *more: str) -> str:
        """
        Return what it prints.

        ``command`` is divided as a shell would; ``more`` are single words after it.

        :raises Refused: It says that something failed.
        """
        words = [*self.options, *shlex.split(command), *more]
        ours, theirs = _context.Pipe(duplex=False)
        process = _context.Process(
            target=_called, args=(theirs, self.name, words, dict(self.environment))
        )
        process.start()
        theirs.close()
        try:
            if not ours.poll(_LONGEST_S):
                raise Refused(f"{words}: no end after {_LONGEST_S} s")
            code, out, err = ours.recv()
        except EOFError:
            raise Refused(f"{words}: it died") from None
        finally:
            process.kill()
            process.join()
        if code:
            raise Refused(f"{self.name} {shlex.join(words)}: {code}: {err}{out}")
        return out

    def json(self, command: str, *more: str) -> Any:
        """Return what ``openstack`` prints as JSON."""
        text = self(command, *more, "-f", "json")
        return orjson.loads(text) if text.strip() else None

    def table(self, command: str, *more: str) -> list[dict[str, str]]:
        """Return the rows of the table that ``nova`` prints."""
        lines = self(command, *more).splitlines()
        rows = [
            [cell.strip() for cell in line[1:-1].split("|")]
            for line in lines
            if line.startswith("|")
        ]
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    def pairs(self, command: str, *more: str) -> dict[str, str]:
        """Return what ``nova`` prints as a table of properties and values."""
        return {row["Property"]: row["Value"] for row in self.table(command, *more)}


def _called(
    pipe: Connection, name: str, words: list[str], environment: dict[str, str]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [name]
    main: Callable[[list[str]], Any] = import_module(_MAIN[name]).main
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
    pipe.send((code, out.getvalue(), err.getvalue()))
