"""The addresses of subnets: who has which, and which one is next."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from uuid import UUID

from snf.core.address import IPAddress, eui64
from snf.core.errors import Conflict
from snf.core.port import FixedIP
from snf.storage.database import Transaction
from snf.storage.rows import every, one


class IpAddressInUse(Conflict):
    """Named as Neutron names it."""


class IpAddressGenerationFailure(Conflict):
    """Named as Neutron names it: no address is free."""


def give(
    txn: Transaction, which: Sequence[UUID], port: UUID, mac: str
) -> list[FixedIP]:
    """
    Give a port an address of each of some subnets.

    :raises Conflict: A subnet has none left, or the network gives none.
    """
    rows = every(
        txn,
        "SELECT s.id, s.cidr::text, s.eui64, n.drained, n.id FROM subnet s"
        " JOIN network n ON n.id = s.network_id"
        " WHERE s.id = ANY(%s) ORDER BY s.created, s.id",
        (list(which),),
    )
    for *_, drained, network in rows:
        if drained:
            raise Conflict(f"Network {network} is drained: it gives no new addresses")
    return [
        take(txn, subnet, port, eui64(cidr, mac))
        if derived
        else take_lowest(txn, subnet, port)
        for subnet, cidr, derived, *_ in rows
    ]


def take(txn: Transaction, subnet: UUID, port: UUID, address: IPAddress) -> FixedIP:
    """
    Give a port this address.

    :raises IpAddressInUse: Another port has it.
    """
    _lock(txn, subnet)
    _add(txn, subnet, port, str(address))
    if not txn.rowcount:
        raise IpAddressInUse(
            "Unable to complete operation for network. The IP address "
            f"{address} is in use."
        )
    return FixedIP(subnet, address)


# The lowest of those that have been freed, and of each pool's ``next``; or else, where
# somebody has asked for just that one before, what follows the first address from there
# on that nothing follows.  (lead() reads no further than the LIMIT needs.)
_LOWEST = """
    SELECT p.first, coalesce(
        (SELECT f.address FROM address_freed f
         WHERE f.subnet_id = p.subnet_id AND f.address >= p.first AND f.address < p.next
         AND NOT EXISTS (SELECT FROM address a
            WHERE a.subnet_id = f.subnet_id AND a.address = f.address)
         ORDER BY f.address LIMIT 1),
        (SELECT p.next WHERE NOT EXISTS (SELECT FROM address a
            WHERE a.subnet_id = p.subnet_id AND a.address = p.next)),
        (SELECT taken.address + 1 FROM (
            SELECT a.address, lead(a.address) OVER (ORDER BY a.address) AS next
            FROM address a WHERE a.subnet_id = p.subnet_id
            AND a.address BETWEEN p.next AND p.last
         ) taken
         WHERE taken.address < p.last AND taken.next IS DISTINCT FROM taken.address + 1
         ORDER BY taken.address LIMIT 1)) AS free
    FROM allocation_pool p WHERE p.subnet_id = %(subnet)s ORDER BY p.first
"""


def take_lowest(txn: Transaction, subnet: UUID, port: UUID) -> FixedIP:
    """
    Give a port the lowest address that is free in a subnet's pools.

    :raises IpAddressGenerationFailure: None is.
    """
    _lock(txn, subnet)
    found = one(
        txn,
        f"SELECT first, host(free) FROM ({_LOWEST}) found WHERE free IS NOT NULL"
        " ORDER BY first LIMIT 1",
        {"subnet": subnet},
    )
    if found is None:
        [(cidr,)] = every(txn, "SELECT cidr::text FROM subnet WHERE id = %s", (subnet,))
        raise IpAddressGenerationFailure(
            f"No more IP addresses available on subnet {cidr}"
        )
    first, free = found
    _add(txn, subnet, port, free)
    if not txn.rowcount:
        # That no address is had twice is the primary key's business all the same.
        raise IpAddressInUse("An IP address is already allocated")
    txn.execute(
        "UPDATE allocation_pool"
        " SET next = CASE WHEN %(free)s::inet < last THEN %(free)s::inet + 1 ELSE last END"
        " WHERE subnet_id = %(subnet)s AND first = %(first)s AND next <= %(free)s",
        {"subnet": subnet, "first": first, "free": free},
    )
    return FixedIP(subnet, ip_address(free))


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


def _lock(txn: Transaction, subnet: UUID) -> None:
    """Have takers of one subnet's addresses queue up.

    It is a statement of its own, so that the next one sees what those before have taken.
    """
    txn.execute(
        "SELECT FROM allocation_pool WHERE subnet_id = %s ORDER BY first FOR UPDATE",
        (subnet,),
    )


def _add(txn: Transaction, subnet: UUID, port: UUID, address: str) -> None:
    which = {"subnet": subnet, "port": port, "address": address}
    txn.execute(
        "DELETE FROM address_freed"
        " WHERE subnet_id = %(subnet)s AND address = %(address)s",
        which,
    )
    txn.execute(
        "INSERT INTO address (subnet_id, address, port_id)"
        " VALUES (%(subnet)s, %(address)s, %(port)s) ON CONFLICT DO NOTHING",
        which,
    )
