"""``firewallProfile``: Synnefo's action, a word for what is let in to a NIC."""

from typing import Any
from uuid import UUID

from snf.api.audit import note
from snf.api.call import UUID_TEXT, Call
from snf.api.compute.owned import owner
from snf.core.errors import BadRequest, NotFound
from snf.core.firewall import Offered
from snf.storage import firewalls, servers
from snf.storage.database import Transaction

NAMES = frozenset({"firewallProfile"})


def change(
    txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any], offered: Offered
) -> None:
    """
    Have a profile hold for a NIC of a server; where none is named, for its first one.

    :raises BadRequest: There is no such profile, or the body is not so.
    :raises NotFound: There is no such server, or it has no such NIC.
    """
    [(_, argument)] = body.items()
    if not isinstance(argument, dict) or argument.keys() - {"profile", "nic"}:
        raise BadRequest("firewallProfile: must be an object with profile and nic")
    name, nic = argument.get("profile"), argument.get("nic")
    word = offered.profiles.get(name) if isinstance(name, str) else None
    if word is None:
        known = ", ".join(sorted(offered.profiles))
        raise BadRequest(f"firewallProfile.profile: must be one of {known}")
    if nic is not None and not isinstance(nic, str | int):
        raise BadRequest("firewallProfile.nic: must be the id of a NIC")
    server = servers.get(txn, owner(call), uuid)
    ports = [port.id for port in firewalls.ports(txn, [server.id])[server.id]]
    port = ports[0] if nic is None and ports else _named(str(nic))
    if port not in ports:
        raise NotFound(f"Instance {uuid} has no NIC {nic}")
    firewalls.set_profile(txn, port, word)
    firewalls.order(txn, [server.id], call.request_id)
    note(txn, call, "server firewall", uuid)


def _named(nic: str) -> UUID | None:
    return UUID(nic) if UUID_TEXT.fullmatch(nic) else None
