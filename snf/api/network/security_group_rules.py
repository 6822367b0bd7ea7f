"""``/v2.0/security-group-rules``: who is let in to the ports of a group."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import UUID_TEXT, Call
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import Text
from snf.api.network.collection import Collection, Json, owner, sight, times
from snf.api.network.rules import NewRule, match
from snf.api.policy import Reach
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.firewall import RULES_AT_MOST, Direction, Offered, Rule
from snf.core.identity import Role
from snf.core.quota import Amounts, Resource
from snf.storage import firewalls, security_groups
from snf.storage.database import Transaction
from snf.storage.security_groups import RULES


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /security-group-rules``: one, or many at once."""

    security_group_rule: NewRule | msgspec.UnsetType = msgspec.UNSET
    security_group_rules: (
        Annotated[list[NewRule], msgspec.Meta(min_length=1, max_length=RULES_AT_MOST)]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """``security_group_rule`` in ``PUT /security-group-rules/{id}``."""

    description: Text


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /security-group-rules/{id}``."""

    security_group_rule: Changes


class SecurityGroupNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, group: object) -> None:
        super().__init__(security_groups.missing(group))


class SecurityGroupRuleNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, rule: object) -> None:
        super().__init__(f"Security group rule {rule} does not exist")


class SecurityGroupRuleExists(Conflict):
    """Named as Neutron names it."""


@frozen
class SecurityGroupRules:
    """``/v2.0/security-group-rules``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    rules: Collection[Rule]
    offered: Offered
    limits: Amounts

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        security_groups.default(txn, call.project.id, self.offered.default)
        return self.rules.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.rules.show(txn, call, item)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewBody, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Add one, or many, to groups."""
        made = self._add(txn, call, self.rules.asked(call.body))
        return self.rules.made(call.body, [shown(rule) for rule in made])

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=ChangeBody)
    def change(self, txn: Transaction, call: Call, item: str) -> Json:
        """Change the description of one."""
        rule = self.rules.own(txn, call, item, "update")
        wanted: Changes = call.body.security_group_rule
        security_groups.describe_rule(txn, rule.id, wanted.description)
        note(txn, call, "security group rule update", rule.id)
        return self.rules.show(txn, call, item)

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Remove one."""
        rule = self.rules.own(txn, call, item, "delete")
        security_groups.lock(txn, None, rule.group)
        security_groups.remove_rule(txn, rule)
        if rule.direction is Direction.INGRESS:
            firewalls.order_for_group(txn, rule.group, call.request_id)
        note(txn, call, "security group rule delete", rule.id)

    def _add(
        self, txn: Transaction, call: Call, wanted: Sequence[NewRule]
    ) -> Sequence[Rule]:
        made = [(one, match(one)) for one in wanted]
        ids = _held(txn, call, [one.security_group_id for one in wanted])
        projects = {
            group: security_groups.get(txn, None, group).project for group in ids
        }
        rules = [
            Rule(
                id=uuid4(),
                group=group,
                project=projects[group],
                direction=Direction(one.direction),
                match=matched,
                created=call.now,
                protocol=_name(one),
                description=one.description,
            )
            for (one, matched), group in zip(made, ids, strict=True)
        ]
        for rule in rules:
            self._store(txn, rule)
            note(txn, call, "security group rule create", rule.id)
        for group in sorted(set(ids)):
            _check_most(txn, group)
            firewalls.order_for_group(txn, group, call.request_id)
        self._count(txn, rules)
        return rules

    def _store(self, txn: Transaction, rule: Rule) -> None:
        try:
            security_groups.add_rule(txn, rule)
        except Conflict as failure:
            raise SecurityGroupRuleExists(str(failure)) from None

    def _count(self, txn: Transaction, rules: Sequence[Rule]) -> None:
        counts: dict[UUID, int] = {}
        for rule in rules:
            counts[rule.project] = counts.get(rule.project, 0) + 1
        for project in sorted(counts):
            wanted = {Resource.SECURITY_GROUP_RULES: counts[project]}
            limits.take(txn, project, wanted, self.limits)


def _held(txn: Transaction, call: Call, groups: Sequence[str]) -> Sequence[UUID]:
    """
    Return the ids of groups, which do not change from now on.

    :raises SecurityGroupNotFound: There is none that the caller sees.
    """
    ids = []
    for text in groups:
        if not UUID_TEXT.fullmatch(text):
            raise SecurityGroupNotFound(text)
        ids.append(UUID(text))
    # In one order, so that no two requests can deadlock.
    for group in sorted(set(ids)):
        try:
            security_groups.lock(txn, sight(call), group)
        except NotFound:
            raise SecurityGroupNotFound(group) from None
    return ids


def collection(page_size: int) -> Collection[Rule]:
    """Return how rules are listed and shown."""
    return Collection(
        "security_group_rule",
        RULES,
        lambda call, rule: shown(rule),
        SecurityGroupRuleNotFound,
        page_size,
        place="security-group-rules",
    )


def _name(wanted: NewRule) -> str | None:
    if wanted.protocol is None or str(wanted.protocol).lower() == "any":
        return None
    return str(wanted.protocol).lower()


def _check_most(txn: Transaction, group: UUID) -> None:
    if security_groups.most_on_a_port(txn, group) > RULES_AT_MOST:
        raise BadRequest(
            f"security_group_id: the groups of a port may have {RULES_AT_MOST} ingress "
            "rules together"
        )


def shown(rule: Rule) -> Json:
    """Return a rule as it is shown."""
    remote = None if rule.match.remote is None else str(rule.match.remote)
    return {
        "id": str(rule.id),
        **owner(rule.project),
        "security_group_id": str(rule.group),
        "ethertype": f"IPv{rule.match.family}",
        "direction": rule.direction.value,
        "protocol": rule.protocol,
        "port_range_min": rule.match.first,
        "port_range_max": rule.match.last,
        "remote_ip_prefix": remote,
        "remote_address_group_id": None,
        "normalized_cidr": remote,
        "remote_group_id": None,
        "belongs_to_default_sg": None,
        "description": rule.description,
        "tags": [],
        **times(rule.created, rule.created, 0),
    }
