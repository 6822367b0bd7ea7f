"""Floating IPs as the compute API has them: ``/os-floating-ips`` and two actions.

Up to microversion 2.35, and the actions up to 2.43 (nova/api/openstack/compute,
floating_ips.py and floating_ip_pools.py).
"""

from ipaddress import ip_address
from typing import Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute.actions import remember
from snf.api.compute.owned import owner
from snf.api.compute.versions import ADDRESS_ACTIONS, BEFORE_PROXIES_WENT
from snf.api.json import Edge, new_app, route
from snf.api.network import association
from snf.api.network.collection import sight
from snf.api.network.limits import OverQuota
from snf.core.errors import BadRequest, Conflict, NotFound, QuotaExceeded
from snf.core.floating_ip import FloatingIP
from snf.core.identity import Role
from snf.core.quota import Amounts
from snf.storage import floating_ips, lists, servers
from snf.storage.database import Transaction
from snf.storage.floating_ips import FLOATING_IPS
from snf.storage.lists import Key, Wanted
from snf.storage.networks import NETWORKS
from snf.storage.ports import PORTS

NAMES = frozenset({"addFloatingIp", "removeFloatingIp"})

_MISSING = "Floating IP not found for ID {}"
_NO_SUCH = "floating IP not found"


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /os-floating-ips``: the name or id of an external network."""

    pool: str | None = None


@frozen
class FloatingIPs:
    """``/os-floating-ips``.

    :ivar limits: What a project may have for which an operator has set nothing.
    """

    app = new_app()

    edge: Edge
    page_size: int
    limits: Amounts

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        wanted = Wanted(project=call.project.id)
        found = lists.listing(txn, FLOATING_IPS, wanted, self.page_size)
        names = _pools(txn, call)
        return {"floating_ips": [_view(one, names) for one in found]}

    @route(app, "POST", "/", role=Role.MEMBER, body=NewBody, until=BEFORE_PROXIES_WENT)
    def create(self, txn: Transaction, call: Call) -> dict:
        """Get one from a pool, or from the first one there is."""
        names = _pools(txn, call)
        pool = call.body.pool
        chosen = [
            network
            for network, name in names.items()
            if pool in (None, name, str(network))
        ]
        if not chosen:
            raise NotFound(f"Floating IP pool {pool or ''} not found.")
        wish = association.Wish(chosen[0], call.project.id)
        try:
            new = association.reserve(txn, call, wish, self.limits)
        except association.ExternalIpAddressExhausted:
            raise NotFound(
                f"No more floating IPs in pool {names[chosen[0]]}."
            ) from None
        except OverQuota:
            raise QuotaExceeded("Floating IP allocation over quota.") from None
        note(txn, call, "floating IP create", new)
        return {"floating_ip": _view(_get(txn, call, str(new)), names)}

    @route(app, "GET", "/<floating>", until=BEFORE_PROXIES_WENT)
    def show(self, txn: Transaction, call: Call, floating: str) -> dict:
        """Show one."""
        found = _get(txn, call, floating)
        return {"floating_ip": _view(found, _pools(txn, call))}

    @route(
        app,
        "DELETE",
        "/<floating>",
        role=Role.MEMBER,
        code=202,
        until=BEFORE_PROXIES_WENT,
    )
    def delete(self, txn: Transaction, call: Call, floating: str) -> None:
        """Give one back; others get its address when no node has it any more."""
        found = _get(txn, call, floating)
        floating_ips.lock(txn, found.id)
        association.release(txn, call, _get(txn, call, floating))
        note(txn, call, "floating IP delete", found.id)


@frozen
class Pools:
    """``/os-floating-ip-pools``: the external networks, by their names."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        return {
            "floating_ip_pools": [{"name": name} for name in _pools(txn, call).values()]
        }


def change(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    """
    Have a floating IP stand for an address of a server, or not any more.

    :raises BadRequest: The body makes no sense, or the server has no such address.
    :raises NotFound: There is no such server, or no such floating IP.
    :raises Conflict: It does not stand for an address of this server.
    """
    [(name, argument)] = body.items()
    if call.version > ADDRESS_ACTIONS:
        raise NotFound("The resource could not be found.")
    adds = name == "addFloatingIp"
    wanted = _read(
        name, argument, ("address", "fixed_address") if adds else ("address",)
    )
    number, _cluster = servers.locate(txn, owner(call), uuid)
    known = floating_ips.with_address(txn, sight(call), ip_address(wanted["address"]))
    if known is None:
        raise NotFound(_NO_SUCH)
    floating_ips.lock(txn, known)
    one = lists.get(txn, FLOATING_IPS, sight(call), known)
    if one is None:
        raise NotFound(_NO_SUCH)
    if adds:
        _add(txn, call, uuid, one, wanted.get("fixed_address"))
    elif one.server == uuid:
        association.disassociate(txn, call, one)
    else:
        raise Conflict(
            f"Floating IP {one.address} is not associated with instance {uuid}."
        )
    remember(txn, call, number, name)
    note(txn, call, f"server {name}", uuid)


def _add(
    txn: Transaction, call: Call, uuid: UUID, one: FloatingIP, fixed: str | None
) -> None:
    wanted = Wanted(only={"device_id:server": [uuid]}, order=[Key("id")])
    for port in lists.listing(txn, PORTS, wanted, _PORTS_AT_MOST):
        known = [str(it.address) for it in port.addresses if it.address.version == 4]
        if known if fixed is None else fixed in known:
            association.associate(txn, call, one, str(port.id), fixed or known[0])
            return
    if fixed is None:
        raise BadRequest("No fixed IPs associated to instance")
    raise BadRequest("Specified fixed address not assigned to instance")


# More are not looked at.
_PORTS_AT_MOST = 100


def _read(name: str, argument: Any, allowed: tuple[str, ...]) -> dict[str, str]:
    """Return the addresses in the argument of an action."""
    if not isinstance(argument, dict) or "address" not in argument:
        raise BadRequest(f"{name}.address: is required")
    for key, text in argument.items():
        if key not in allowed:
            raise BadRequest(
                f"{name}.{key}: is not known; allowed: {', '.join(allowed)}"
            )
        try:
            ip_address(text if isinstance(text, str) else "")
        except ValueError:
            raise BadRequest(f"{name}.{key}: must be an IP address") from None
    return argument


def _get(txn: Transaction, call: Call, floating: str) -> FloatingIP:
    missing = _MISSING.format(floating)
    known = identifier(floating, missing)
    found = lists.get(txn, FLOATING_IPS, call.project.id, known)
    if found is None:
        raise NotFound(missing)
    return found


def _pools(txn: Transaction, call: Call) -> dict[UUID, str]:
    """Return the names of the external networks that the caller sees, by their ids."""
    wanted = Wanted(
        project=call.project.id, only={"router:external": [True]}, order=[Key("name")]
    )
    found = lists.listing(txn, NETWORKS, wanted, _POOLS_AT_MOST)
    return {network.id: network.name for network in found}


_POOLS_AT_MOST = 1000


def _view(one: FloatingIP, pools: dict[UUID, str]) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "ip": str(one.address),
        "pool": pools.get(one.network, str(one.network)),
        "fixed_ip": one.fixed and str(one.fixed),
        "instance_id": one.server and str(one.server),
    }
