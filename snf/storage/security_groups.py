"""Security groups and their rules.

Whoever changes what a group admits locks its row first; whoever gives it a port holds
that row, too.  So a port that is made while a rule is has the rule, or is seen by who
makes it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

from psycopg2.errors import ForeignKeyViolation, UniqueViolation
from psycopg2.extras import execute_values

from snf.core.errors import Conflict, NotFound
from snf.core.firewall import Direction, Group, Match, Profile, Rule, admits
from snf.core.quota import Amounts, Resource
from snf.storage import lists, quotas
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.prepared import Prepared
from snf.storage.rows import one

_RULE = (
    "r.id, r.group_id, g.project_id, r.direction, r.family, r.number, r.first, r.last,"
    " r.remote::text, extract(epoch FROM r.created), r.protocol, r.description"
)

_GROUP = (
    "g.id, g.project_id, g.name, g.created, g.updated, g.description, g.is_default,"
    f" (SELECT json_agg(json_build_array({_RULE}) ORDER BY r.created, r.id)"
    "  FROM security_group_rule r WHERE r.group_id = g.id),"
    " g.tags, g.revision"
)


def _group_from(row: tuple) -> Group:
    rules, tags, revision = row[7:]
    made = tuple(_rule_from(rule) for rule in rules or ())
    values = (*row[:7], made, tuple(tags), revision)
    return Group(*values)


def _rule_from(row: Sequence[Any]) -> Rule:
    family, number, first, last, remote = row[4:9]
    network = None if remote is None else ip_network(remote)
    return Rule(
        id=_uuid(row[0]),
        group=_uuid(row[1]),
        project=_uuid(row[2]),
        direction=Direction(row[3]),
        match=Match(family, number, first, last, network),
        created=datetime.fromtimestamp(float(row[9]), UTC),
        protocol=row[10],
        description=row[11],
    )


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


_OWNER = Field("g.project_id::text")

GROUPS = Listed(
    columns=_GROUP,
    source="security_group g",
    make=_group_from,
    id="g.id",
    visible="g.project_id = %(project)s",
    tags="g.tags",
    fields={
        "id": Field("g.id", Type.ID),
        "name": Field("g.name"),
        "description": Field("g.description"),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "shared": Field("false", Type.FLAG),
        "stateful": Field("true", Type.FLAG),
        "revision_number": Field("g.revision", Type.NUMBER),
        "port:server": Field(
            "ARRAY(SELECT p.server_id FROM port_group m JOIN port p"
            " ON p.id = m.port_id WHERE m.group_id = g.id)",
            Type.NUMBER,
            many=True,
            sorts=False,
        ),
    },
)

RULES = Listed(
    columns=_RULE,
    source="security_group_rule r JOIN security_group g ON g.id = r.group_id",
    make=_rule_from,
    id="r.id",
    visible="g.project_id = %(project)s",
    fields={
        "id": Field("r.id", Type.ID),
        "security_group_id": Field("r.group_id", Type.ID),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "description": Field("r.description"),
        "direction": Field("r.direction"),
        "ethertype": Field("'IPv' || r.family"),
        "protocol": Field("coalesce(r.protocol, '')"),
        "port_range_min": Field("r.first", Type.NUMBER, sorts=False),
        "port_range_max": Field("r.last", Type.NUMBER, sorts=False),
        "remote_ip_prefix": Field("r.remote", Type.CIDR, sorts=False),
        "normalized_cidr": Field("r.remote", Type.CIDR, sorts=False),
        "remote_group_id": Field("NULL::uuid", Type.ID, sorts=False),
        "revision_number": Field("0", Type.NUMBER),
    },
)

_MINE = "(%(project)s IS NULL OR g.project_id = %(project)s)"


def get(txn: Transaction, project: UUID | None, group: UUID) -> Group:
    """
    Return a group.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    found = lists.get(txn, GROUPS, project, group)
    if found is None:
        raise NotFound(missing(group))
    return found


def lock(txn: Transaction, project: UUID | None, group: UUID) -> None:
    """
    Hold a group, whose rules are about to change, until the transaction has ended.

    :raises NotFound: There is none, or it is somebody else's.
    """
    row = one(
        txn,
        f"SELECT FROM security_group g WHERE g.id = %(group)s AND {_MINE} FOR UPDATE",
        {"group": group, "project": project},
    )
    if row is None:
        raise NotFound(missing(group))


_DEFAULT = Prepared(
    "security_group_default",
    "SELECT id FROM security_group WHERE project_id = $1 AND is_default FOR KEY SHARE",
)


def default(txn: Transaction, project: UUID, profile: Profile) -> UUID:
    """
    Return the default group of a project, which is made where there is none yet.

    It does not change until the transaction has ended.

    :param profile: What a new one admits.
    """
    row = _DEFAULT.one(txn, project)
    if row is None:
        _make_default(txn, project, profile)
        row = _DEFAULT.one(txn, project)
    assert row is not None
    return row[0]


def _make_default(txn: Transaction, project: UUID, profile: Profile) -> None:
    group = uuid4()
    txn.execute(
        "INSERT INTO security_group (id, project_id, name, description, is_default)"
        " VALUES (%s, %s, 'default', 'Default security group', true)"
        " ON CONFLICT (project_id) WHERE is_default DO NOTHING",
        (group, project),
    )
    if not txn.rowcount:
        return  # somebody else has just made it
    first = [(Direction.INGRESS, match) for match in admits(profile)]
    made = [*_everything_out(), *first]
    _insert(txn, group, made)
    quotas.count_in(
        txn,
        project,
        {Resource.SECURITY_GROUPS: 1, Resource.SECURITY_GROUP_RULES: len(made)},
    )


def add(
    txn: Transaction,
    group: UUID,
    project: UUID,
    name: str,
    description: str,
) -> Amounts:
    """
    Store a new group, which admits nothing and lets everything out.

    Returns what it is to be counted for.
    """
    txn.execute(
        "INSERT INTO security_group (id, project_id, name, description)"
        " VALUES (%s, %s, %s, %s)",
        (group, project, name, description),
    )
    made = _everything_out()
    _insert(txn, group, made)
    return {Resource.SECURITY_GROUPS: 1, Resource.SECURITY_GROUP_RULES: len(made)}


def _everything_out() -> list[tuple[Direction, Match]]:
    return [(Direction.EGRESS, Match(family)) for family in (4, 6)]


_PROTOCOLS = {1: "icmp", 58: "ipv6-icmp", 6: "tcp"}


def _insert(
    txn: Transaction, group: UUID, made: Sequence[tuple[Direction, Match]]
) -> None:
    execute_values(
        txn,
        "INSERT INTO security_group_rule (id, group_id, direction, family, protocol,"
        " number, first, last) VALUES %s",
        [
            (
                uuid4(),
                group,
                direction.value,
                match.family,
                None if match.protocol is None else _PROTOCOLS[match.protocol],
                match.protocol,
                match.first,
                match.last,
            )
            for direction, match in made
        ],
    )


def change(
    txn: Transaction, group: UUID, name: str | None, description: str | None
) -> None:
    """Change what a group is called; None leaves it as it is."""
    txn.execute(
        "UPDATE security_group SET name = coalesce(%s, name),"
        " description = coalesce(%s, description), updated = now(),"
        " revision = revision + 1 WHERE id = %s",
        (name, description, group),
    )


def remove(txn: Transaction, group: Group) -> None:
    """
    Remove a group and its rules.

    :raises Conflict: A port is in it.
    """
    try:
        txn.execute(
            "WITH gone AS (DELETE FROM security_group_rule WHERE group_id = %(id)s)"
            " DELETE FROM security_group WHERE id = %(id)s",
            {"id": group.id},
        )
    except ForeignKeyViolation:
        raise Conflict(f"Security Group {group.id} in use.") from None
    if txn.rowcount:
        quotas.put_back(
            txn, group.project, Resource.SECURITY_GROUP_RULES, len(group.rules)
        )
        quotas.put_back(txn, group.project, Resource.SECURITY_GROUPS)


def add_rule(txn: Transaction, rule: Rule) -> None:
    """
    Store a new rule, which its group's project has been counted for already.

    :raises Conflict: The group has the same already.
    """
    match = rule.match
    try:
        txn.execute(
            "INSERT INTO security_group_rule (id, group_id, direction, family,"
            " protocol, number, first, last, remote, description, created)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                rule.id,
                rule.group,
                rule.direction.value,
                match.family,
                rule.protocol,
                match.protocol,
                match.first,
                match.last,
                None if match.remote is None else str(match.remote),
                rule.description,
                rule.created,
            ),
        )
    except UniqueViolation:
        raise Conflict("Security group rule already exists.") from None
    _touch(txn, rule.group)


def describe_rule(txn: Transaction, rule: UUID, description: str) -> None:
    """Change the description of a rule."""
    txn.execute(
        "UPDATE security_group_rule SET description = %s WHERE id = %s",
        (description, rule),
    )


def remove_rule(txn: Transaction, rule: Rule) -> None:
    """Remove a rule."""
    txn.execute("DELETE FROM security_group_rule WHERE id = %s", (rule.id,))
    if txn.rowcount:
        _touch(txn, rule.group)
        quotas.put_back(txn, rule.project, Resource.SECURITY_GROUP_RULES)


def most_on_a_port(txn: Transaction, group: UUID) -> int:
    """Return how many rules the port in a group has that has most of them."""
    row = one(
        txn,
        "SELECT max(n) FROM (SELECT count(*) n FROM port_group m"
        " JOIN port_group a ON a.port_id = m.port_id"
        " JOIN security_group_rule r ON r.group_id = a.group_id"
        "  AND r.direction = 'ingress' WHERE m.group_id = %(group)s GROUP BY m.port_id"
        " UNION ALL SELECT count(*) FROM security_group_rule"
        "  WHERE group_id = %(group)s AND direction = 'ingress') counted",
        {"group": group},
    )
    assert row is not None
    return row[0]


def missing(group: object) -> str:
    """Return what to say of a group that is not there."""
    return f"Security group {group} does not exist"


def _touch(txn: Transaction, group: UUID) -> None:
    txn.execute(
        "UPDATE security_group SET updated = now(), revision = revision + 1"
        " WHERE id = %s",
        (group,),
    )
