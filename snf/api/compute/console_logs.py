"""The action ``os-getConsoleOutput``: what a server has said on its serial line."""

import re
from codecs import getincrementaldecoder
from typing import Any, Protocol
from uuid import UUID

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from snf.api.call import Call
from snf.api.compute.owned import owner
from snf.api.given import converted
from snf.api.json import Afterwards, Answer
from snf.core.errors import BadRequest, NotOffered
from snf.storage import servers
from snf.storage.database import Transaction


class Logs(Protocol):
    """Knows what servers have said."""

    async def log(self, cluster: int, server: int, lines: int | None) -> bytes:
        """
        Return the last lines of what a server has said, all that is kept for None.

        :raises NotFound: Nothing of it is kept.
        :raises Conflict: It is on no node.
        :raises Unavailable: Ganeti or the node does not answer.
        """


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """How many lines."""

    length: int | str | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The whole of it."""

    wanted: Wanted = msgspec.field(name="os-getConsoleOutput")


NAMES = frozenset({"os-getConsoleOutput"})


def change(
    txn: Transaction,
    call: Call,
    uuid: UUID,
    body: dict[str, Any],
    logs: Logs | None,
    clock: IReactorTime,
) -> Afterwards:
    """
    Return what tells what a server has said.

    :raises BadRequest: It names no number of lines.
    :raises NotFound: There is no such server.
    :raises NotOffered: Nothing is kept here.
    """
    lines = _lines(converted(body, Body).wanted.length)
    server, cluster = servers.locate(txn, owner(call), uuid)
    if logs is None:
        raise NotOffered(
            "What servers say is not to be had here: the operator has set no [nodes] "
            "key_file and daemon_port"
        )
    known = logs

    async def tell() -> Answer:
        said = await known.log(cluster, server, lines)
        return Answer({"output": await printable(said, clock)}, 200)

    return Afterwards(tell)


def _lines(length: int | str | None) -> int | None:
    """Return how many lines are wanted; clients send numbers as text, too."""
    # nova/api/openstack/compute/schemas/console_output.py
    if length is None:
        return None
    if isinstance(length, str) and not _NUMBER.fullmatch(length):
        raise BadRequest(_WRONG)
    if not -1 <= int(length) <= _MOST:
        raise BadRequest(_WRONG)
    return None if int(length) < 0 else int(length)


_NUMBER = re.compile("-1|[0-9]{1,10}")
_MOST = 0x7FFFFFFF
_WRONG = f"os-getConsoleOutput.length: must be a whole number from 0 to {_MOST}, or -1 for all"


async def printable(said: bytes, clock: IReactorTime) -> str:
    """
    Return what was said as text, without what moves cursors and the like, as Nova does.

    Only line feeds and tabs are left of ASCII's control characters
    (nova/api/openstack/compute/console_output.py).
    """
    decoder = getincrementaldecoder("utf-8")("replace")
    text = []
    for start in range(0, len(said), _SLICE_BYTES):
        if start:
            await deferLater(clock, 0)
        part = said[start : start + _SLICE_BYTES].translate(None, _CONTROLS)
        text.append(decoder.decode(part))
    return "".join([*text, decoder.decode(b"", final=True)])


_CONTROLS = bytes(set(range(32)) - set(b"\n\t"))
# What is made text in one turn of the reactor: some 2 ms if none of it is UTF-8.
_SLICE_BYTES = 131_072
