"""What Keystone says of a token, as values of ours."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from attrs import frozen

from snf.core.identity import Domain, Grant, Project, Role, User

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
# Drawn once: what ids that are no UUIDs are made UUIDs with.
_OURS = UUID("b7a0c2f4-5d1e-4c53-9f0a-3e8d6b1f7c29")


@frozen
class Said:
    """
    What Keystone says of a token that is good.

    :ivar lasts_s: For how many seconds more, by Keystone's own clock: how ours goes
        makes no difference.
    """

    grant: Grant
    lasts_s: float


def read(content: Any, roles: Mapping[str, Role], now: float) -> Said:
    """
    Return what the answer to ``GET /v3/auth/tokens`` says.

    A token for a domain or for the system is none for a project.

    :param roles: What Keystone's roles are to us, by name.
    :param now: Keystone's time, in seconds since the epoch.
    :raises ValueError: It is not such an answer; so do LookupError and TypeError.
    """
    token = content["token"]
    expires, project = moment(token["expires_at"]), None
    held: frozenset[Role] = frozenset()
    if token.get("project") is not None:
        project = Project(
            id=identifier(token["project"]["id"]),
            name=_text(token["project"]["name"]),
            domain=_domain(token["project"]["domain"]),
        )
        names = [_text(role["name"]) for role in token.get("roles") or ()]
        held = frozenset(roles[name] for name in names if name in roles)
    grant = Grant(
        user=User(
            id=identifier(token["user"]["id"]),
            name=_text(token["user"]["name"]),
            domain=_domain(token["user"]["domain"]),
        ),
        project=project,
        roles=held,
        methods=tuple(map(_text, token["methods"])),
        audit_id=_text((token.get("audit_ids") or [""])[0]),
        issued=moment(token["issued_at"]),
        expires=expires,
    )
    return Said(grant, max(expires.timestamp() - now, 0.0))


def identifier(text: Any) -> UUID:
    """
    Return the UUID that an id of Keystone's is to us.

    Most are one.  Users of LDAP and of federation have a longer hash for an id
    (keystone/identity/id_generators/sha256.py), of which one is made: always the same.
    """
    known = _text(text)
    return UUID(known) if _UUID.fullmatch(known) else uuid5(_OURS, known)


def moment(text: Any) -> datetime:
    """
    Return a time that a token names.

    :raises ValueError: It is none, or has no time zone.
    """
    found = datetime.fromisoformat(_text(text))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found


def _domain(content: Any) -> Domain:
    return Domain(_text(content["id"]), _text(content["name"]))


def _text(content: Any) -> str:
    # PostgreSQL stores no NUL.
    if not isinstance(content, str) or "\0" in content:
        raise TypeError("not a text")
    return content
