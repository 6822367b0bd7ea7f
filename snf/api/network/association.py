"""Getting, using and giving back floating IPs, whichever API asks for it.

The refusals are Neutron's (neutron/db/l3_db.py, neutron_lib/exceptions/l3.py).
"""

from ipaddress import IPv4Address, ip_network
from uuid import UUID, uuid4

from attrs import frozen

from snf.api.call import UUID_TEXT, Call
from snf.api.network.collection import InvalidInput, PolicyNotAuthorized, sight
from snf.api.network.limits import take
from snf.api.network.ports import PortNotFound
from snf.core.address import IPAddress
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.floating_ip import FloatingIP
from snf.core.port import Port
from snf.core.quota import Amounts, Resource
from snf.core.subnet import Subnet
from snf.storage import addresses, floating_ips, holders, lists, quotas
from snf.storage.addresses import Holder
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS
from snf.storage.ports import PORTS
from snf.storage.subnets import SUBNETS

# More subnets of one network are not looked at.
_SUBNETS_AT_MOST = 100

NO_PORT = (
    "Bad floatingip request: fixed_ip_address cannot be specified without a port_id."
)


class FloatingIPNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, floating: str) -> None:
        super().__init__(f"Floating IP {floating} could not be found.")


class FloatingIPPortAlreadyAssociated(Conflict):
    """Named as Neutron names it."""


class ExternalGatewayForFloatingIPNotFound(NotFound):
    """Named as Neutron names it."""


class ExternalIpAddressExhausted(BadRequest):
    """Named as Neutron names it."""


class IpAddressAlreadyAllocated(Conflict):
    """Named as Neutron names it."""


@frozen
class Wish:
    """What is wanted of a new floating IP; the subnet and the address may be any."""

    network: UUID
    project: UUID
    subnet: str | None = None
    address: str | None = None
    description: str = ""


def owner_of_new(call: Call, project: str | None) -> UUID:
    """
    Return whose a new one is to be: the caller's project's, or for admins any.

    :raises Forbidden: The caller may not make one for this project.
    """
    if project is None or project.replace("-", "") == call.project.id.hex:
        return call.project.id
    if call.is_admin and UUID_TEXT.fullmatch(project):
        return UUID(project)
    raise PolicyNotAuthorized("rule:create_floatingip is disallowed by policy")


def network(txn: Transaction, call: Call, text: str) -> UUID:
    """
    Return the id of the network that floating IPs are to be from.

    :raises BadRequest: It is not external, or not there at all.
    :raises Conflict: It is drained.
    """
    found = None
    if UUID_TEXT.fullmatch(text):
        found = lists.get(txn, NETWORKS, sight(call), UUID(text))
    if found is None or not found.external:
        raise BadRequest(
            f"Bad floatingip request: Network {text} is not a valid external network."
        )
    found.check_open()
    return found.id


def reserve(txn: Transaction, call: Call, wish: Wish, limits: Amounts) -> UUID:
    """
    Have a project get a floating IP that stands for nothing; its id.

    :raises BadRequest: The network has no free address, or cannot have the wanted one.
    :raises Conflict: Somebody has the wanted one.
    :raises OverQuota: The project may have no more.
    """
    subnets = _subnets(txn, wish)
    new = uuid4()
    floating_ips.add(
        txn,
        floating_ips.New(
            new, wish.project, call.grant.user.id, wish.network, wish.description
        ),
    )
    if wish.address is None:
        _take_any(txn, wish.network, subnets, Holder(floating_ip=new))
    else:
        _take_this(txn, wish.address, subnets, Holder(floating_ip=new))
    # Last, since from here on the project's requests queue up.
    take(txn, wish.project, {Resource.FLOATING_IPS: 1}, limits)
    return new


def associate(
    txn: Transaction, call: Call, one: FloatingIP, port: str, fixed: str | None
) -> None:
    """
    Have one stand for an address of a port, and have Ganeti follow.

    :raises NotFound: There is no such port, or nothing from outside gets to it.
    :raises BadRequest: It has no such address, or several and none is named.
    :raises Conflict: Another one stands for it.
    """
    found = None
    if UUID_TEXT.fullmatch(port):
        found = lists.get(txn, PORTS, sight(call), UUID(port))
    if found is None:
        raise PortNotFound(port)
    if found.project != one.project:
        raise BadRequest(
            f"Bad floatingip request: Cannot process floating IP association with Port "
            f"{port}, since that port is owned by a different project."
        )
    chosen = _fixed(found, fixed)
    _check_reachable(txn, one, found, chosen)
    try:
        servers = floating_ips.associate(txn, one.id, found.id, chosen)
    except Conflict:
        raise FloatingIPPortAlreadyAssociated(
            f"Cannot associate floating IP {one.address} ({one.id}) with port "
            f"{found.id} using fixed IP {chosen}, as that fixed IP already has a "
            f"floating IP on external network {one.network}."
        ) from None
    holders.follow(txn, servers, call.request_id)


def disassociate(txn: Transaction, call: Call, one: FloatingIP) -> None:
    """Have one stand for nothing, and have Ganeti follow."""
    if one.port is not None:
        servers = floating_ips.disassociate(txn, one.id)
        holders.follow(txn, servers, call.request_id)


def release(txn: Transaction, call: Call, one: FloatingIP) -> None:
    """Take one from its project; its address is free when no node has it any more."""
    disassociate(txn, call, one)
    floating_ips.remove(txn, one.id)
    quotas.put_back(txn, one.project, Resource.FLOATING_IPS)


def _subnets(txn: Transaction, wish: Wish) -> list[Subnet]:
    """Return the IPv4 subnets that the address may be from."""
    wanted = lists.Wanted(only={"network_id": [wish.network], "ip_version": [4]})
    found = lists.listing(txn, SUBNETS, wanted, _SUBNETS_AT_MOST)
    if not found:
        raise BadRequest(
            f"Bad floatingip request: Network {wish.network} does not contain any "
            "IPv4 subnet."
        )
    if wish.subnet is None:
        return found
    chosen = [subnet for subnet in found if str(subnet.id) == wish.subnet.lower()]
    if not chosen:
        raise BadRequest(
            f"Bad floatingip request: subnet {wish.subnet} is no IPv4 subnet of network"
            f" {wish.network}."
        )
    return chosen


def _take_any(
    txn: Transaction, network: UUID, subnets: list[Subnet], holder: Holder
) -> None:
    for subnet in subnets:
        try:
            addresses.take_any(txn, subnet.id, holder)
        except Conflict:
            continue
        return
    raise ExternalIpAddressExhausted(
        f"Unable to find any IP address on external network {network}."
    )


def _take_this(
    txn: Transaction, text: str, subnets: list[Subnet], holder: Holder
) -> None:
    address = _address("floating_ip_address", text)
    for subnet in subnets:
        if _may_give(subnet, address):
            try:
                addresses.take(txn, subnet.id, address, holder)
            except Conflict:
                raise IpAddressAlreadyAllocated(
                    f"IP address {address} already allocated in subnet {subnet.id}"
                ) from None
            return
    raise BadRequest(
        f"IP address {address} is not a valid IP for any of the subnets on the "
        "specified network."
    )


def _may_give(subnet: Subnet, address: IPAddress) -> bool:
    whole = ip_network(subnet.cidr)
    ends = () if whole.prefixlen >= 31 else (whole[0], whole[-1])
    return address in whole and address not in (subnet.gateway, *ends)


def _address(name: str, text: str) -> IPAddress:
    try:
        return IPv4Address(text)
    except ValueError:
        raise InvalidInput(name, f"'{text}' is not a valid IP address.") from None


def _fixed(port: Port, text: str | None) -> IPAddress:
    """Return the address of a port that is meant."""
    known = [one.address for one in port.addresses if one.address.version == 4]
    if text is not None:
        wanted = _address("fixed_ip_address", text)
        if wanted not in known:
            raise BadRequest(
                f"Bad floatingip request: Port {port.id} does not have fixed ip {text}."
            )
        return wanted
    if not known:
        raise BadRequest(
            f"Bad floatingip request: Cannot add floating IP to port {port.id} that has"
            " no fixed IPv4 addresses."
        )
    if len(known) > 1:
        raise BadRequest(
            f"Bad floatingip request: Port {port.id} has multiple fixed IPv4 addresses."
            "  Must provide a specific IPv4 address when assigning a floating IP."
        )
    return known[0]


def _check_reachable(
    txn: Transaction, one: FloatingIP, port: Port, fixed: IPAddress
) -> None:
    """Return if packets from outside get to a port: its network is routed by nodes."""
    found = lists.get(txn, NETWORKS, None, port.network)
    if found is None or found.mode != "routed":
        subnet = next(it.subnet for it in port.addresses if it.address == fixed)
        raise ExternalGatewayForFloatingIPNotFound(
            f"External network {one.network} is not reachable from subnet {subnet}.  "
            f"Therefore, cannot associate Port {port.id} with a Floating IP."
        )
