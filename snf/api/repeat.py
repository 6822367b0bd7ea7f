"""``X-Idempotency-Key``: a request that is repeated does its work once."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.core.errors import BadRequest
from snf.storage import repeats
from snf.storage.database import Transaction

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@frozen
class Told:
    """What is kept of an answer: its JSON, and where the new thing is."""

    body: Any
    place: str | None = None


def once(txn: Transaction, call: Call, work: Callable[[], Told]) -> Told:
    """
    Do the work of a request, or return what was answered when it was done before.

    A request that was refused has left nothing behind, and may be repeated.

    :raises BadRequest: The key is none.
    :raises Conflict: With this key something else was asked for.
    """
    key = call.repeat_key
    if key is None:
        return work()
    if not _KEY.fullmatch(key):
        raise BadRequest(
            "X-Idempotency-Key: must have 1 to 255 visible characters of ASCII"
        )
    before = repeats.begin(txn, call.project.id, key, _digest(call))
    if before is not None:
        return Told(**before)
    told = work()
    answer = {"body": told.body, "place": told.place}
    repeats.end(txn, call.project.id, key, answer)
    return told


def _digest(call: Call) -> bytes:
    """Return what tells two bodies apart, however their keys are ordered."""
    return hashlib.sha256(msgspec.json.encode(call.body, order="sorted")).digest()
