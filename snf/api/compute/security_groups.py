"""The security groups of servers, and what the compute API had of them itself.

All ports of a server are in the groups that it is put into by this API.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.api.audit import note
from snf.api.call import UUID_TEXT, Call
from snf.api.compute.owned import locate, owner
from snf.api.compute.versions import BEFORE_PROXIES_WENT
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.firewall import ICMP, Direction, Group, Offered, Rule
from snf.storage import firewalls, lists, security_groups, servers
from snf.storage.database import Transaction
from snf.storage.security_groups import GROUPS

Json = dict[str, Any]

NAMES = frozenset({"addSecurityGroup", "removeSecurityGroup"})


@frozen
class OfServer:
    """``/servers/{id}/os-security-groups``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/os-security-groups")
    def listing(self, txn: Transaction, call: Call, server: str) -> Json:
        """List the security groups that the ports of one are in."""
        number, _ = locate(txn, call, server)
        return {"security_groups": [_shown(one) for one in of_server(txn, number)]}


@frozen
class Groups:
    """``/os-security-groups``: the project's, for clients that know no network API."""

    app = new_app()

    edge: Edge
    offered: Offered
    page_size: int

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them, with their rules."""
        project = call.project.id
        security_groups.default(txn, project, self.offered.default)
        wanted = lists.Wanted(project=project)
        found = lists.listing(txn, GROUPS, wanted, call.limit(self.page_size))
        return {"security_groups": [_shown(one) for one in found]}

    @route(app, "GET", "/<group>", until=BEFORE_PROXIES_WENT)
    def show(self, txn: Transaction, call: Call, group: str) -> Json:
        """Show one."""
        missing = f"Security group {group} not found."
        if not UUID_TEXT.fullmatch(group):
            raise NotFound(missing)
        found = lists.get(txn, GROUPS, call.project.id, UUID(group))
        if found is None:
            raise NotFound(missing)
        return {"security_group": _shown(found)}


def of_server(txn: Transaction, server: int) -> Sequence[Group]:
    """Return the groups that a server's ports are in, by their names."""
    wanted = lists.Wanted(only={"port:server": [server]}, order=[lists.Key("name")])
    return lists.listing(txn, GROUPS, wanted, _MANY)


# More groups than the ports of a server can be in.
_MANY = 10_000


def named(
    txn: Transaction, project: UUID, names: Sequence[str], offered: Offered
) -> list[UUID]:
    """
    Return the ids of a project's groups, by their names or ids.

    :raises NotFound: There is none of a name.
    :raises Conflict: There are several.
    """
    default = security_groups.default(txn, project, offered.default)
    found = [
        default if name == "default" else _named(txn, project, name) for name in names
    ]
    others = [group for group in found if group != default]
    for gone in firewalls.hold(txn, project, others) if others else ():
        raise NotFound(f"Security group {gone} not found.")  # just now
    return found


def _named(txn: Transaction, project: UUID, name: str) -> UUID:
    if UUID_TEXT.fullmatch(name):
        found = lists.get(txn, GROUPS, project, UUID(name))
        if found is not None:
            return found.id
    wanted = lists.Wanted(project=project, only={"name": [name]})
    matching = lists.listing(txn, GROUPS, wanted, 2)
    if not matching:
        raise NotFound(f"Security group {name} not found.")
    if len(matching) > 1:
        raise Conflict(
            f"Multiple security_group matches found for name '{name}', use an ID to be "
            "more specific."
        )
    return matching[0].id


def change(
    txn: Transaction, call: Call, uuid: UUID, body: Json, offered: Offered
) -> None:
    """
    Put all ports of a server into a security group, or take them out of it.

    :raises BadRequest: The body is not so, or the server has no ports.
    :raises NotFound: There is no such server or group, or the server is not in it.
    """
    [(action, argument)] = body.items()
    name = argument.get("name") if isinstance(argument, dict) else None
    if not isinstance(name, str) or not name or "\0" in name or len(argument) > 1:
        raise BadRequest(f"{action}.name: must be the name or the id of a group")
    server = servers.get(txn, owner(call), uuid)
    [group] = named(txn, server.project, [name], offered)
    ports = [port.id for port in firewalls.ports(txn, [server.id])[server.id]]
    if not ports:
        raise BadRequest(f"{action}: instance {uuid} has no ports")
    known = firewalls.groups_of(txn, ports)
    if action == "removeSecurityGroup" and not any(
        group in of for of in known.values()
    ):
        raise NotFound(f"Security group {name} not associated with the instance {uuid}")
    firewalls.hold(txn, server.project, [one for of in known.values() for one in of])
    for port, groups in known.items():
        others = [one for one in groups if one != group]
        added = [group] if action == "addSecurityGroup" else []
        firewalls.put(txn, port, [*others, *added])
    firewalls.order(txn, [server.id], call.request_id)
    note(txn, call, f"server {action}", uuid)


def _shown(group: Group) -> Json:
    return {
        "id": str(group.id),
        "name": group.name,
        "description": group.description,
        "tenant_id": str(group.project),
        "rules": [
            _rule(rule) for rule in group.rules if rule.direction is Direction.INGRESS
        ],
    }


def _rule(rule: Rule) -> Json:
    """Return a rule as Nova knew them: of IPv4 and of IPv6 alike, without a word."""
    match = rule.match
    protocol = rule.protocol
    if match.protocol == ICMP[match.family]:
        protocol = "icmp"
    anywhere = "0.0.0.0/0" if match.family == 4 else "::/0"
    return {
        "id": str(rule.id),
        "parent_group_id": str(rule.group),
        "ip_protocol": protocol,
        "from_port": -1 if match.first is None and protocol else match.first,
        "to_port": -1 if match.last is None and protocol else match.last,
        "group": {},
        "ip_range": {"cidr": str(match.remote or anywhere)},
    }
