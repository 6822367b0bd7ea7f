"""``/userdata/keys``: the users' public keys as Synnefo has them: our key pairs of SSH."""

from collections.abc import Callable
from typing import Any

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.key_makers import make
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, NotFound
from snf.core.keypair import KeyPair, Type, check_name, fingerprint
from snf.storage import keypairs
from snf.storage.database import Transaction

Json = dict[str, Any]


class NewKey(msgspec.Struct):
    """The body of ``POST /userdata/keys``; clients send fields back that are not theirs."""

    name: str
    content: str


class Changes(msgspec.Struct):
    """The body of ``PUT /userdata/keys/{id}``."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    content: str | msgspec.UnsetType = msgspec.UNSET


@frozen
class Keys:
    """``/userdata/keys``."""

    app = new_app()
    reach = Reach.SELF

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Any:
        """List the caller's keys."""
        return [_view(call, one) for one in keypairs.of_ssh(txn, call.grant.user.id)]

    @route(app, "POST", "/", body=NewKey)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Take one in."""
        user, wanted = call.grant.user.id, call.body
        _checked("name", check_name, wanted.name, True)
        told = _checked("content", fingerprint, Type.SSH, wanted.content)
        found = keypairs.add(txn, user, wanted.name, Type.SSH, wanted.content, told)
        note(txn, call, "keypair create", user)
        return _view(call, found)

    @route(app, "POST", "/generate")
    def generate(self, txn: Transaction, call: Call) -> Json:
        """Make a pair, and keep neither half of it."""
        made = make(Type.SSH, call.grant.user.name, call.now)
        kind, blob, *_ = made.public.split()
        return {"private": made.private, "public": f"{kind} {blob}"}

    @route(app, "GET", "/<key>")
    def show(self, txn: Transaction, call: Call, key: str) -> Json:
        """Show one."""
        return _view(call, keypairs.numbered(txn, call.grant.user.id, _number(key)))

    @route(app, "PUT", "/<key>", body=Changes)
    def change(self, txn: Transaction, call: Call, key: str) -> Json:
        """Give one another name, or be it another one."""
        user, wanted = call.grant.user.id, call.body
        name = None if wanted.name is msgspec.UNSET else wanted.name
        content = None if wanted.content is msgspec.UNSET else wanted.content
        if name is not None:
            _checked("name", check_name, name, True)
        told = None
        if content is not None:
            told = _checked("content", fingerprint, Type.SSH, content)
        found = keypairs.change(txn, user, _number(key), name, content, told)
        note(txn, call, "keypair change", user)
        return _view(call, found)

    @route(app, "DELETE", "/<key>")
    def delete(self, txn: Transaction, call: Call, key: str) -> Json:
        """Delete one; guests that have it keep it."""
        user = call.grant.user.id
        found = keypairs.numbered(txn, user, _number(key))
        keypairs.remove(txn, user, found.name)
        note(txn, call, "keypair delete", user)
        return {}


def _number(key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) < 19):
        raise NotFound("There is no such key")
    return int(key)


def _checked(field: str, check: Callable[..., Any], *given: Any) -> Any:
    """Return what a check returns, its refusal naming the field as it is called here."""
    try:
        return check(*given)
    except BadRequest as refusal:
        raise BadRequest(f"{field}: {refusal}") from None


def _view(call: Call, key: KeyPair) -> Json:
    return {
        "id": key.id,
        "uri": f"{call.base}/keys/{key.id}",
        "name": key.name,
        "content": key.public_key,
        "fingerprint": key.fingerprint,
    }
