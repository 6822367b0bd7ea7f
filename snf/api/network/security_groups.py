"""``/v2.0/security-groups``: what is let in to ports."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import TagList, Text
from snf.api.network.collection import (
    Collection,
    Json,
    owner,
    times,
)
from snf.api.network.security_group_rules import (
    SecurityGroupNotFound,
    shown,
)
from snf.api.policy import Reach
from snf.api.quotas import whose
from snf.core.errors import Conflict
from snf.core.firewall import Group, Offered
from snf.core.identity import Role
from snf.core.quota import Amounts
from snf.storage import security_groups, tagged
from snf.storage.database import Transaction
from snf.storage.security_groups import GROUPS

_AT_ONCE = 100


class NewGroup(msgspec.Struct, forbid_unknown_fields=True):
    """``security_group`` in ``POST /security-groups``."""

    name: Text = ""
    description: Text = ""
    tags: TagList = []
    stateful: Literal[True, None] = True
    project_id: str | None = None
    tenant_id: str | None = None


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /security-groups``: one, or many at once."""

    security_group: NewGroup | msgspec.UnsetType = msgspec.UNSET
    security_groups: (
        Annotated[list[NewGroup], msgspec.Meta(min_length=1, max_length=_AT_ONCE)]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """``security_group`` in ``PUT /security-groups/{id}``."""

    name: Text | None = None
    description: Text | None = None
    stateful: Literal[True, None] = None


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /security-groups/{id}``."""

    security_group: Changes


class SecurityGroupInUse(Conflict):
    """Named as Neutron names it."""


class SecurityGroupCannotRemoveDefault(Conflict):
    """Named as Neutron names it."""


class SecurityGroupCannotUpdateDefault(Conflict):
    """Named as Neutron names it."""


class SecurityGroupDefaultAlreadyExists(Conflict):
    """Named as Neutron names it."""


@frozen
class SecurityGroups:
    """``/v2.0/security-groups``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    groups: Collection[Group]
    offered: Offered
    limits: Amounts

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them, with their rules."""
        self._default(txn, call)
        return self.groups.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.groups.show(txn, call, item)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewBody, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Make one, or many, which admit nothing yet."""
        self._default(txn, call)
        wanted: Sequence[NewGroup] = self.groups.asked(call.body)
        made = [self._made(txn, call, one) for one in wanted]
        return self.groups.made(call.body, made)

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=ChangeBody)
    def change(self, txn: Transaction, call: Call, item: str) -> Json:
        """Change the name or the description of one."""
        wanted: Changes = call.body.security_group
        group = self.groups.own(txn, call, item, "update")
        if group.is_default and wanted.name not in (None, group.name):
            raise SecurityGroupCannotUpdateDefault(
                "Updating default security group not allowed."
            )
        if not group.is_default:
            _check_name(wanted.name)
        security_groups.change(txn, group.id, wanted.name, wanted.description)
        note(txn, call, "security group update", group.id)
        return self.groups.show(txn, call, item)

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Delete one that has no ports, with its rules."""
        group = self.groups.own(txn, call, item, "delete")
        if group.is_default:
            raise SecurityGroupCannotRemoveDefault(
                "Insufficient rights for removing default security group."
            )
        try:
            security_groups.remove(txn, group)
        except Conflict as failure:
            raise SecurityGroupInUse(str(failure)) from None
        note(txn, call, "security group delete", group.id)

    def _default(self, txn: Transaction, call: Call) -> None:
        security_groups.default(txn, call.project.id, self.offered.default)

    def _made(self, txn: Transaction, call: Call, wanted: NewGroup) -> Json:
        _check_name(wanted.name)
        group = uuid4()
        project = project_of(txn, call, wanted)
        made = security_groups.add(txn, group, project, wanted.name, wanted.description)
        tagged.begin(txn, "security_group", group, wanted.tags)
        limits.take(txn, project, made, self.limits)
        note(txn, call, "security group create", group)
        return self.groups.show(txn, call, str(group))["security_group"]


def collection(page_size: int) -> Collection[Group]:
    """Return how groups are listed and shown."""
    return Collection(
        "security_group",
        GROUPS,
        _view,
        SecurityGroupNotFound,
        page_size,
        place="security-groups",
    )


def project_of(txn: Transaction, call: Call, wanted: Any) -> UUID:
    """
    Return whose something new is to be.

    :raises Forbidden: Somebody else's, and the caller is no admin.
    :raises BadRequest: That is nobody's id.
    """
    for field in ("project_id", "tenant_id"):
        text = getattr(wanted, field)
        if text:
            return whose(txn, call, text, field)
    return call.project.id


def _check_name(name: str | None) -> None:
    if name == "default":
        raise SecurityGroupDefaultAlreadyExists(
            "Default security group already exists."
        )


def _view(call: Call, group: Group) -> Json:
    return {
        "id": str(group.id),
        "name": group.name,
        "stateful": True,
        **owner(group.project),
        "description": group.description,
        "shared": False,
        "security_group_rules": [shown(rule) for rule in group.rules],
        "tags": sorted(group.tags),
        **times(group.created, group.updated, group.revision),
    }
