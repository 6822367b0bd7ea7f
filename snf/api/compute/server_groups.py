"""``/os-server-groups``: servers that are to be kept apart from each other, or together."""

from typing import Annotated, Any
from uuid import uuid4

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import versions
from snf.api.compute.bodies import Name
from snf.api.compute.owned import owner
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest
from snf.core.identity import Role
from snf.core.quota import Amounts
from snf.core.server_group import Policy, ServerGroup
from snf.storage import server_groups
from snf.storage.database import Transaction

# Clients send what was typed.
_Count = (
    Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    | Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,8}\Z")]
)


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    """``rules`` of a group whose members are kept apart."""

    max_server_per_host: _Count | None = None


class NewGroup(msgspec.Struct, forbid_unknown_fields=True):
    """``server_group`` in ``POST /os-server-groups``, of all versions."""

    name: Name
    policies: list[str] | msgspec.UnsetType = msgspec.UNSET
    policy: str | msgspec.UnsetType = msgspec.UNSET
    rules: Rules | msgspec.UnsetType = msgspec.UNSET


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /os-server-groups``."""

    server_group: NewGroup


_KNOWN = frozenset({"all_projects", "limit", "offset"})


@frozen
class ServerGroups:
    """``/os-server-groups``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int
    defaults: Amounts

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them; admins may ask for those of all_projects."""
        if call.since(versions.STRICT):
            call.check_known(_KNOWN)
        everybody = call.is_admin and call.argument("all_projects") is not None
        project = None if everybody else call.project.id
        limit = call.limit(self.page_size)
        found = server_groups.listing(txn, project, limit, _offset(call))
        return {"server_groups": [_shown(call, group) for group in found]}

    @route(app, "POST", "/", role=Role.MEMBER, body=NewBody)
    def create(self, txn: Transaction, call: Call) -> dict:
        """Make one, without members."""
        wanted: NewGroup = call.body.server_group
        policy = _policy(call, wanted)
        group = ServerGroup(
            id=uuid4(),
            project=call.project.id,
            user=call.grant.user.id,
            name=wanted.name.strip(),
            policy=policy,
            per_node=_per_node(wanted, policy),
        )
        server_groups.add(txn, group, self.defaults)
        note(txn, call, "server group create", group.id)
        return {"server_group": _shown(call, group)}

    @route(app, "GET", "/<group>")
    def show(self, txn: Transaction, call: Call, group: str) -> dict:
        """Show one."""
        known = identifier(group, server_groups.missing("{}"))
        found = server_groups.get(txn, owner(call), known)
        return {"server_group": _shown(call, found)}

    @route(app, "DELETE", "/<group>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, group: str) -> None:
        """Delete one; its servers stay."""
        known = identifier(group, server_groups.missing("{}"))
        server_groups.remove(txn, owner(call), known)
        note(txn, call, "server group delete", known)


def _offset(call: Call) -> int:
    text = call.argument("offset") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest("offset: must be a whole number that is not negative")
    return int(text)


def _policy(call: Call, wanted: NewGroup) -> Policy:
    """
    Return the policy that is asked for, in the way of the call's version.

    :raises BadRequest: It is asked for in another way, or there is no such policy.
    """
    if call.since(versions.GROUP_RULES):
        named, text = "policy", wanted.policy
        others: tuple[str, ...] = ("policies",)
    else:
        named, text = "policies", _only(wanted.policies)
        others = ("policy", "rules")
    for name in others:
        if getattr(wanted, name) is not msgspec.UNSET:
            raise BadRequest(
                f"server_group.{name}: Additional properties are not allowed "
                f"({name!r} was unexpected)"
            )
    if text is msgspec.UNSET:
        raise BadRequest(f"server_group.{named}: {named!r} is a required property")
    allowed = {
        policy.value: policy
        for policy in Policy
        if call.since(versions.SOFT_POLICIES) or not policy.soft
    }
    if text not in allowed:
        raise BadRequest(
            f"server_group.{named}: must be one of {', '.join(sorted(allowed))}"
        )
    return allowed[text]


def _only(policies: list[str] | msgspec.UnsetType) -> str | msgspec.UnsetType:
    if policies is msgspec.UNSET:
        return msgspec.UNSET
    if len(policies) != 1:
        raise BadRequest("server_group.policies: must have exactly one item")
    return policies[0]


def _per_node(wanted: NewGroup, policy: Policy) -> int | None:
    """
    Return how many members one machine may have; None where nobody has said so.

    :raises BadRequest: The policy has no such rule, in Nova's words
        (nova/api/openstack/compute/server_groups.py).
    """
    if wanted.rules is msgspec.UNSET or wanted.rules.max_server_per_host is None:
        return None
    if policy is not Policy.ANTI_AFFINITY:
        raise BadRequest("Only anti-affinity policy supports rules.")
    return int(wanted.rules.max_server_per_host)


def _shown(call: Call, group: ServerGroup) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(group.id),
        "name": group.name,
        "members": [str(member) for member in group.members],
    }
    if call.since(versions.GROUP_OWNERS):
        shown["project_id"] = str(group.project)
        shown["user_id"] = str(group.user)
    if not call.since(versions.GROUP_RULES):
        return shown | {"policies": [group.policy.value], "metadata": {}}
    rules = {} if group.per_node is None else {"max_server_per_host": group.per_node}
    return shown | {"policy": group.policy.value, "rules": rules}
