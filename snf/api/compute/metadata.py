"""``/servers/{id}/metadata``: pairs of a key and a value, for the owner's own use."""

from typing import Annotated
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute import locks
from snf.api.compute.bodies import Key, Value
from snf.api.compute.owned import locate
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest
from snf.core.identity import Role
from snf.storage import metadata
from snf.storage.database import Transaction

Json = dict[str, dict[str, str]]


class PairsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that sets some, or all."""

    metadata: Annotated[dict[Key, Value], msgspec.Meta(max_length=metadata.AT_MOST)]


class PairBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that sets one."""

    meta: Annotated[dict[Key, Value], msgspec.Meta(min_length=1, max_length=1)]


@frozen
class Metadata:
    """``/servers/{id}/metadata``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/metadata")
    def listing(self, txn: Transaction, call: Call, server: str) -> Json:
        """List what the owner has noted on one."""
        return _listing(txn, call, server)

    @route(app, "POST", "/<server>/metadata", role=Role.MEMBER, body=PairsBody)
    def merge(self, txn: Transaction, call: Call, server: str) -> Json:
        """Note some things on one, and leave others as they are."""
        return _merge(txn, call, server)

    @route(app, "PUT", "/<server>/metadata", role=Role.MEMBER, body=PairsBody)
    def replace(self, txn: Transaction, call: Call, server: str) -> Json:
        """Note these things on one, and no others."""
        number, uuid = _changeable(txn, call, server)
        metadata.replace(txn, number, call.body.metadata)
        note(txn, call, "server metadata", uuid)
        return {"metadata": metadata.of(txn, number)}

    @route(app, "GET", "/<server>/metadata/<key>")
    def show(self, txn: Transaction, call: Call, server: str, key: str) -> Json:
        """Show one thing that the owner has noted on one."""
        return _show(txn, call, server, key)

    @route(app, "PUT", "/<server>/metadata/<key>", role=Role.MEMBER, body=PairBody)
    def put(self, txn: Transaction, call: Call, server: str, key: str) -> Json:
        """Note one thing on one."""
        return _put(txn, call, server, key)

    @route(app, "DELETE", "/<server>/metadata/<key>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, server: str, key: str) -> None:
        """Remove one thing that the owner has noted on one."""
        _remove(txn, call, server, key)


@frozen
class Meta:
    """``/servers/{id}/meta``: the same as Synnefo's clients ask for it."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/meta")
    def listing(self, txn: Transaction, call: Call, server: str) -> Json:
        """List what the owner has noted on one."""
        return _listing(txn, call, server)

    @route(app, "POST", "/<server>/meta", role=Role.MEMBER, body=PairsBody, code=201)
    def merge(self, txn: Transaction, call: Call, server: str) -> Json:
        """Note some things on one, and leave others as they are."""
        return _merge(txn, call, server)

    @route(app, "GET", "/<server>/meta/<key>")
    def show(self, txn: Transaction, call: Call, server: str, key: str) -> Json:
        """Show one thing that the owner has noted on one."""
        return _show(txn, call, server, key)

    @route(
        app, "PUT", "/<server>/meta/<key>", role=Role.MEMBER, body=PairBody, code=201
    )
    def put(self, txn: Transaction, call: Call, server: str, key: str) -> Json:
        """Note one thing on one."""
        return _put(txn, call, server, key)

    @route(app, "DELETE", "/<server>/meta/<key>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, server: str, key: str) -> None:
        """Remove one thing that the owner has noted on one."""
        _remove(txn, call, server, key)


def _listing(txn: Transaction, call: Call, server: str) -> Json:
    number, _ = locate(txn, call, server)
    return {"metadata": metadata.of(txn, number)}


def _merge(txn: Transaction, call: Call, server: str) -> Json:
    number, uuid = _changeable(txn, call, server)
    metadata.merge(txn, number, call.body.metadata)
    note(txn, call, "server metadata", uuid)
    return {"metadata": metadata.of(txn, number)}


def _show(txn: Transaction, call: Call, server: str, key: str) -> Json:
    number, _ = locate(txn, call, server)
    return {"meta": {key: metadata.value(txn, number, _named(key))}}


def _put(txn: Transaction, call: Call, server: str, key: str) -> Json:
    if key not in call.body.meta:
        raise BadRequest("meta: Request body and URI mismatch")
    number, uuid = _changeable(txn, call, server)
    metadata.merge(txn, number, call.body.meta)
    note(txn, call, "server metadata", uuid)
    return {"meta": call.body.meta}


def _remove(txn: Transaction, call: Call, server: str, key: str) -> None:
    number, uuid = _changeable(txn, call, server)
    metadata.remove(txn, number, _named(key))
    note(txn, call, "server metadata", uuid)


def _named(key: str) -> str:
    """Return a key as it may be looked for: PostgreSQL takes no NUL."""
    return key.replace("\0", "\n")


def _changeable(txn: Transaction, call: Call, server: str) -> tuple[int, UUID]:
    number, uuid = locate(txn, call, server)
    locks.check(txn, call, uuid)
    return number, uuid
