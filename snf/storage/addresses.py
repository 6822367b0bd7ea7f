"""Addresses: which one the next taker gets, and that nobody else gets it.

That no address is had twice is the business of the table's key.  Which one is tried is
another matter: ``free_address`` has what is worth trying, some addresses that have not
been used yet and all that have been released, so that to find one takes as long in a
full pool as in an empty one.  What has been used comes last, the longest unused first:
packets for who had it before have ceased by then.  Triggers note what is released, and
the history (``schema/0013.sql``, ``0020.sql``).
"""

from collections.abc import Mapping
from ipaddress import ip_address
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress, eui64
from snf.core.errors import Conflict
from snf.core.network import NetworkDrained
from snf.core.port import FixedIP
from snf.core.subnet import Subnet
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

# How many unused addresses are put out for takers at once: once in so many takers wait
# for each other.  More, up to the other number, where there are only taken ones.
_PUT_OUT, _PUT_OUT_AT_MOST = 512, 8192


class IpAddressInUse(Conflict):
    """Named as Neutron names it."""


class IpAddressGenerationFailure(Conflict):
    """Named as Neutron names it: no address is free."""


@frozen
class Holder:
    """Whose an address is to be: a port's or a floating IP's."""

    port: UUID | None = None
    floating_ip: UUID | None = None


def give(txn: Transaction, subnet: Subnet, port: UUID, mac: str) -> FixedIP:
    """
    Give a port an address of a subnet.

    :raises Conflict: It has none left, or its network gives none.
    """
    if subnet.drained:
        raise NetworkDrained(subnet.network)
    holder = Holder(port=port)
    if subnet.eui64:
        return take(txn, subnet.id, eui64(subnet.cidr, mac), holder)
    return take_any(txn, subnet.id, holder)


def take_any(txn: Transaction, subnet: UUID, holder: Holder) -> FixedIP:
    """
    Have a port or a floating IP get any free address of a subnet's pools.

    :raises IpAddressGenerationFailure: There is none.
    """
    found = _try(txn, subnet, holder)
    if found is None:
        # Somebody else may just be putting some out.
        txn.execute("SELECT FROM subnet WHERE id = %s FOR NO KEY UPDATE", (subnet,))
        found = _try(txn, subnet, holder)
    count = _PUT_OUT
    while found is None and _put_out(txn, subnet, count):
        found = _try(txn, subnet, holder)
        count = min(2 * count, _PUT_OUT_AT_MOST)
    if found is None:
        # The last ones are being taken, but who does so may yet fail.
        found = _try(txn, subnet, holder, waits=True)
    if found is None:
        raise IpAddressGenerationFailure(
            f"No more IP addresses available on subnet {_cidr(txn, subnet)}"
        )
    return FixedIP(subnet, found)


def take(txn: Transaction, subnet: UUID, address: IPAddress, holder: Holder) -> FixedIP:
    """
    Have a port or a floating IP get this address, in a pool or not.

    :raises IpAddressInUse: Something else has it.
    """
    txn.execute(
        "INSERT INTO address (subnet_id, address, port_id, floating_ip_id)"
        " VALUES (%s, %s, %s, %s) ON CONFLICT (subnet_id, address) DO NOTHING",
        (subnet, str(address), holder.port, holder.floating_ip),
    )
    if not txn.rowcount:
        raise IpAddressInUse(
            "Unable to complete operation for network. The IP address "
            f"{address} is in use."
        )
    return FixedIP(subnet, address)


# One of those that are put out, if there is one (``schema/0020.sql``).
_TAKE = Prepared("address_take", "SELECT * FROM take_address($1, $2, $3, $4)")


def _try(
    txn: Transaction, subnet: UUID, holder: Holder, waits: bool = False
) -> IPAddress | None:
    """
    Return what was taken of what is put out; None when nothing was.

    :param waits: Whether to wait for what somebody else is just taking.
    """
    while True:
        row = _TAKE.one(txn, subnet, holder.port, holder.floating_ip, waits)
        assert row is not None
        tried, address = row
        if address is not None:
            return ip_address(address)
        if not tried:
            return None


def _put_out(txn: Transaction, subnet: UUID, count: int) -> bool:
    """
    Put out the next addresses of a subnet's pools; whether there were any.

    Who calls it has locked the subnet.
    """
    pools = _pools(txn, subnet)
    row = one(txn, "SELECT host(offered) FROM subnet WHERE id = %s", (subnet,))
    assert row is not None
    offered = None if row[0] is None else ip_address(row[0])
    for first, last in pools:
        begin = first
        if offered is not None and offered >= first:  # type: ignore[operator]
            if offered >= last:  # type: ignore[operator]
                continue
            begin = offered + 1
        end = begin + min(count - 1, int(last) - int(begin))
        txn.execute(
            "INSERT INTO free_address (subnet_id, address)"
            " SELECT %(subnet)s, it.address FROM (SELECT %(begin)s::inet + number"
            "  FROM generate_series(0, %(more)s) number) it (address)"
            " WHERE NOT EXISTS (SELECT FROM address a"
            "  WHERE a.subnet_id = %(subnet)s AND a.address = it.address)",
            {"subnet": subnet, "begin": str(begin), "more": int(end) - int(begin)},
        )
        txn.execute(
            "UPDATE subnet SET offered = %s, offered_all = %s WHERE id = %s",
            (str(end), end == pools[-1][1], subnet),
        )
        return True
    return False


def free(txn: Transaction) -> Mapping[UUID, int]:
    """Return how many addresses each network's pools have left, where there is choice."""
    rows = every(
        txn,
        "SELECT s.network_id, sum(p.last - p.first + 1 - (SELECT count(*) FROM address a"
        "  WHERE a.subnet_id = s.id AND a.address BETWEEN p.first AND p.last))"
        " FROM subnet s JOIN allocation_pool p ON p.subnet_id = s.id"
        " WHERE NOT s.eui64 GROUP BY 1",
    )
    return {network: int(left) for network, left in rows}


def _pools(txn: Transaction, subnet: UUID) -> list[tuple[IPAddress, IPAddress]]:
    """Return the first and the last address of a subnet's pools, in their order."""
    rows = every(
        txn,
        "SELECT host(first), host(last) FROM allocation_pool WHERE subnet_id = %s"
        " ORDER BY first",
        (subnet,),
    )
    return [(ip_address(first), ip_address(last)) for first, last in rows]


def _cidr(txn: Transaction, subnet: UUID) -> str:
    [(cidr,)] = every(txn, "SELECT cidr::text FROM subnet WHERE id = %s", (subnet,))
    return cidr
