"""``/os-keypairs``: the key pairs of users, which let them into their guests."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import versions
from snf.api.compute.key_makers import make
from snf.api.compute.view import precise
from snf.api.json import Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.keypair import KeyPair, Type, check_name, fingerprint
from snf.storage import keypairs
from snf.storage.database import Transaction

Json = dict[str, Any]


class NewKeyPair(msgspec.Struct, forbid_unknown_fields=True):
    """``keypair`` in ``POST /os-keypairs``, of all versions."""

    name: str
    public_key: str | msgspec.UnsetType = msgspec.UNSET
    type: Literal["ssh", "x509"] | msgspec.UnsetType = msgspec.UNSET
    user_id: str | msgspec.UnsetType = msgspec.UNSET


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /os-keypairs``."""

    keypair: NewKeyPair


_YOUNG = {"type": versions.KEYPAIR_TYPES, "user_id": versions.KEYPAIRS_OF_USERS}

_KNOWN = frozenset({"user_id", "limit", "marker"})


@frozen
class KeyPairs:
    """``/os-keypairs``."""

    app = new_app()
    reach = Reach.MINE

    edge: Edge
    page_size: int

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List the caller's; admins may ask for those of a user_id."""
        if call.since(versions.STRICT):
            call.check_known(_KNOWN)
        user, paged = _whose(call), call.since(versions.KEYPAIR_PAGES)
        limit = call.limit(self.page_size) if paged else self.page_size
        marker = call.argument("marker") if paged else None
        found = keypairs.listing(txn, user, marker, limit)
        page: Json = {"keypairs": [{"keypair": _brief(call, one)} for one in found]}
        if paged and found and len(found) == limit:
            href = f"{call.base}/os-keypairs?{call.page_after(found[-1].name)}"
            page["keypairs_links"] = [{"rel": "next", "href": href}]
        return page

    @route(app, "POST", "/", body=NewBody)
    def create(self, txn: Transaction, call: Call) -> Answer:
        """Take one in, or make one, of which the private half is told only now."""
        wanted: NewKeyPair = call.body.keypair
        versions.check_fields(call.version, wanted, _YOUNG, "keypair")
        kind, more = Type.SSH, call.since(versions.KEYPAIRS_IMPORTED)
        if wanted.type is not msgspec.UNSET:
            kind = Type(wanted.type)
        check_name(wanted.name, more)
        user = _user(call, None if wanted.user_id is msgspec.UNSET else wanted.user_id)
        private: Json = {}
        if wanted.public_key is not msgspec.UNSET:
            public = wanted.public_key
        elif more:
            raise BadRequest("keypair.public_key: 'public_key' is a required property")
        else:
            made = make(kind, call.grant.user.name, call.now)
            public, private = made.public, {"private_key": made.private}
        told = fingerprint(kind, public)
        found = keypairs.add(txn, user, wanted.name, kind, public, told)
        note(txn, call, "keypair create", user)
        shown = {**_brief(call, found), "user_id": str(user), **private}
        code = 201 if call.since(versions.KEYPAIR_TYPES) else 200
        return Answer({"keypair": shown}, code=code)

    @route(app, "GET", "/<keypair>")
    def show(self, txn: Transaction, call: Call, keypair: str) -> Json:
        """Show one."""
        found = keypairs.get(txn, _whose(call), keypair)
        return {
            "keypair": {
                **_brief(call, found),
                "user_id": str(found.user),
                "id": found.id,
                "created_at": precise(found.created),
                "deleted": False,
                "deleted_at": None,
                "updated_at": None,
            }
        }

    @route(app, "DELETE", "/<keypair>", code=202)
    def delete(self, txn: Transaction, call: Call, keypair: str) -> Answer:
        """Delete one; guests that have it keep it."""
        user = _whose(call)
        keypairs.remove(txn, user, keypair)
        note(txn, call, "keypair delete", user)
        return Answer(code=204 if call.since(versions.KEYPAIR_TYPES) else 202)


def _whose(call: Call) -> UUID:
    """Return the user whose key pairs a URL means."""
    given = call.argument("user_id")
    return _user(call, given if call.since(versions.KEYPAIRS_OF_USERS) else None)


def _user(call: Call, given: str | None) -> UUID:
    """
    Return the user who is named, or the caller.

    :raises Forbidden: It is somebody else, and the caller is no admin.
    :raises NotFound: It cannot be the id of anybody.
    """
    own = call.grant.user.id
    if given is None:
        return own
    try:
        known: UUID | None = identifier(given, "")
    except NotFound:
        known = None
    if known != own and not call.is_admin:
        raise Forbidden("Policy doesn't allow key pairs of others.")
    if known is None:
        raise NotFound(f"User {given} could not be found.")
    return known


def _brief(call: Call, keypair: KeyPair) -> Json:
    shown = {
        "name": keypair.name,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    }
    if call.since(versions.KEYPAIR_TYPES):
        shown["type"] = keypair.type.value
    return shown
