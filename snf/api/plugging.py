"""Ports: made, put on servers and taken off them, whichever API it is asked by."""

import os
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute import locks
from snf.api.compute.actions import remember
from snf.api.compute.owned import owner
from snf.core.address import IPAddress
from snf.core.errors import Conflict, NotFound, QuotaExceeded
from snf.core.firewall import OFFERED, Offered
from snf.core.naming import nic_name
from snf.core.network import Network
from snf.core.order import Kind, NicRequest, Order
from snf.core.port import NICS_AT_MOST, Fixed, FixedIP, places
from snf.core.quota import NO_LIMITS, Amounts, Resource
from snf.core.server import Action, Life, permit, with_order
from snf.core.subnet import Subnet
from snf.core.wiring import Wiring, wiring
from snf.storage import (
    cluster_networks,
    firewalls,
    lives,
    nics,
    orders,
    plugs,
    quotas,
    security_groups,
    servers,
    subnets,
)
from snf.storage.database import Transaction
from snf.storage.plugs import NewPort, Spot

# Of ports that are on no server yet; a network may have a prefix of its own.
_MAC_PREFIX = "aa:00:00"


class PortInUse(Conflict):
    """Named as Neutron and Nova name it."""


class PortLimitExceeded(QuotaExceeded):
    """Named as Nova names it."""

    def __init__(self) -> None:
        super().__init__(f"A server has {NICS_AT_MOST} interfaces at most")


@frozen
class Wish:
    """
    A port that somebody wants.

    :ivar subnets: All of the network's, where they have been read with it.
    :ivar fixed: None for an address of each subnet.
    :ivar kept: Whether it outlives the server that it is put on.
    :ivar groups: The security groups that it is to be in; None for the default one.
        They are held, as that is.
    """

    network: Network
    project: UUID
    fixed: Sequence[Fixed] | None = None
    mac: str | None = None
    name: str = ""
    description: str = ""
    kept: bool = True
    groups: Sequence[UUID] | None = None
    subnets: Sequence[Subnet] | None = None


@frozen
class Made:
    """A port that has been made, its NIC, and what it holds of the quota."""

    id: UUID
    nic: NicRequest
    held: dict[Resource, int]


@frozen
class Plugger:
    """Makes ports and has Ganeti attach and detach them.

    :ivar limits: What a project may have for which an operator has set nothing.
    :ivar firewall: What security groups there are.
    """

    random_bytes: Callable[[int], bytes] = os.urandom
    limits: Amounts = NO_LIMITS
    firewall: Offered = OFFERED

    def add(
        self,
        txn: Transaction,
        wish: Wish,
        spot: Spot | None = None,
        mac_prefix: str = _MAC_PREFIX,
    ) -> Made:
        """
        Store a port, on a server or on none.

        :raises BadRequest: It cannot have the addresses.
        :raises Conflict: Somebody else has one of them, or the MAC address; or the
            network is drained.
        """
        network = wish.network
        network.check_open()
        known = wish.subnets
        if known is None:
            known = subnets.of_network(txn, network.id)
        wanted = places(known, network.id, wish.fixed)
        port = uuid4()
        new = NewPort(
            id=port,
            network=network.id,
            project=wish.project,
            mac_prefix=network.mac_prefix or mac_prefix,
            mac=wish.mac,
            name=wish.name,
            description=wish.description,
            kept=wish.kept,
            spot=spot,
        )
        mac = plugs.add(txn, new, self.random_bytes)
        given = plugs.give(txn, port, mac, known, wanted)
        if wish.groups is not None:
            firewalls.put(txn, port, wish.groups)
        nic = _nic(port, mac, wiring(network, known), given)
        return Made(port, nic, {Resource.PORTS: 1, Resource.FIXED_IPS: len(given)})

    def take(
        self, txn: Transaction, project: UUID, amounts: dict[Resource, int]
    ) -> None:
        """
        Count what ports hold; last, since from there on a project's requests queue up.

        :raises QuotaExceeded: It is more than the project may have.
        """
        wanted = {name: amount for name, amount in amounts.items() if amount}
        if wanted:
            quotas.take(txn, project, wanted, self.limits)

    def attach(
        self,
        txn: Transaction,
        call: Call,
        server: UUID,
        wanted: UUID | Wish,
        tag: str | None = None,
    ) -> UUID:
        """
        Order an interface for a server; return its port.

        :param wanted: A port of the caller's project, or one that is to be made.
        :raises Conflict: The server's state forbids it, or the port is on one already.
        :raises PortLimitExceeded: The server has as many as it may have.
        :raises NotFound: There is no such server or port.
        """
        if isinstance(wanted, Wish):
            # Groups before servers, as all lock them.
            self.hold_default(txn, wanted.project)
        number, cluster, life = self._server(txn, call, server, Action.ATTACH)
        count, position = plugs.place(txn, number)
        if count >= NICS_AT_MOST:
            raise PortLimitExceeded
        spot = Spot(number, position, tag, changing=True)
        if isinstance(wanted, Wish):
            made = self.add(txn, wanted, spot)
        else:
            made = self.plug(txn, wanted, spot)
        port = made.id
        firewalls.prepare(txn, number, port, call.request_id)
        order = Order(uuid4(), number, Kind.ATTACH, nic=made.nic)
        self._order(txn, call, cluster, life, order, "interface_attach")
        note(txn, call, "port attach", port)
        if isinstance(wanted, Wish):
            self.take(txn, wanted.project, made.held)
        return port

    def hold_default(self, txn: Transaction, project: UUID) -> None:
        """Have a project's default group, which does not change until the commit."""
        security_groups.default(txn, project, self.firewall.default)

    def plug(self, txn: Transaction, port: UUID, spot: Spot) -> Made:
        """
        Put a port that has been made by itself on a server.

        :raises PortInUse: It is on one.
        :raises NotFound: There is no such port.
        """
        held = plugs.lock(txn, port)
        if held is None:
            raise NotFound(f"Port id {port} could not be found.")
        if held.server is not None:
            raise PortInUse(f"Port {port} is still in use.")
        plugs.put_on(txn, port, spot)
        told = cluster_networks.wirings(txn, [held.network])[held.network]
        return Made(port, _nic(port, held.mac, told, plugs.held(txn, port)), {})

    def detach(
        self, txn: Transaction, call: Call, server: UUID, port: UUID, delete: bool
    ) -> None:
        """
        Order an interface of a server to go; the port goes when Ganeti has removed it.

        :param delete: Whether the port goes too that was made by itself.
        :raises Conflict: The server's state forbids it.
        :raises NotFound: The server has no such port.
        """
        number, cluster, life = self._server(txn, call, server, Action.DETACH)
        held = plugs.lock(txn, port)
        if held is None or held.server != number:
            raise NotFound(f"Instance {server} does not have port {port}")
        plugs.take_off(txn, port, kept=held.kept and not delete)
        if held.changing and _leaves(life, port):
            return
        order = Order(
            uuid4(), number, Kind.DETACH, nic=NicRequest(nic_name(port), held.mac, None)
        )
        self._order(txn, call, cluster, life, order, "interface_detach")
        note(txn, call, "port detach", port)

    def delete(self, txn: Transaction, call: Call, port: UUID) -> None:
        """
        Delete a port: at once, or when Ganeti has removed its NIC.

        :raises Conflict: The state of the server that it is on forbids it.
        """
        server = plugs.server_of(txn, port)
        if server is not None:
            self.detach(txn, call, server, port, delete=True)
            return
        held = plugs.lock(txn, port)
        if held is None:
            return
        if held.server is not None:
            raise PortInUse(f"Port {port} is just being attached.")
        plugs.take_off(txn, port, kept=False)
        quotas.give_back(txn, [], {}, [port])
        nics.release(txn, [port])
        note(txn, call, "port delete", port)

    def _server(
        self, txn: Transaction, call: Call, server: UUID, action: Action
    ) -> tuple[int, int, Life]:
        """Return a server's number, its cluster and its life, locked."""
        number, cluster = servers.locate(txn, owner(call), server)
        locks.check(txn, call, server)
        before = lives.load(txn, [number])
        if number not in before:
            raise NotFound(servers.missing(server))  # just now, by Ganeti's word
        life = before[number]
        permit(action, life.status, life.task, server)
        return number, cluster, life

    def _order(
        self,
        txn: Transaction,
        call: Call,
        cluster: int,
        life: Life,
        order: Order,
        action: str,
    ) -> None:
        orders.add(txn, order, cluster, call.request_id)
        remember(txn, call, order.server, action, order.id)
        lives.save(txn, {order.server: life}, {order.server: with_order(life, order)})


def _leaves(life: Life, port: UUID) -> bool:
    name = nic_name(port)
    return any(
        order.kind is Kind.DETACH
        and order.state.open
        and order.nic is not None
        and order.nic.name == name
        for order in life.orders
    )


def _rank(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)


def _nic(port: UUID, mac: str, told: Wiring, given: Sequence[FixedIP]) -> NicRequest:
    return NicRequest(
        name=nic_name(port),
        mac=mac,
        # Ganeti's NICs have one address, an IPv4 one.
        ip=told.nic_address(sorted((one.address for one in given), key=_rank)),
        network=told.network,
    )
