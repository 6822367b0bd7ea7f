"""Who had which address from when to when; triggers write it (``schema/0020.sql``)."""

from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress
from snf.storage.database import Transaction
from snf.storage.rows import every


@frozen
class Holding:
    """Somebody's having an address.

    :ivar user: Whose server it was, or who asked for the floating IP.
    :ivar server: Its uuid; so are the others ids that there may be nothing of any more.
    :ivar until: None where it is had still.
    """

    address: str
    network: UUID
    project: UUID
    user: UUID | None
    server: UUID | None
    port: UUID | None
    floating_ip: UUID | None
    since: datetime
    until: datetime | None


def of(
    txn: Transaction, address: IPAddress, at: datetime | None, limit: int
) -> list[Holding]:
    """
    Return who had an address, the latest first.

    Several at once, where several networks have the same addresses.

    :param at: When; None for ever.
    """
    rows = every(
        txn,
        "SELECT host(address), network_id, project_id, user_id, server, port_id,"
        " floating_ip_id, since, until FROM address_history"
        " WHERE address = %(address)s AND (%(at)s::timestamptz IS NULL"
        " OR since <= %(at)s AND (until IS NULL OR until > %(at)s))"
        " ORDER BY since DESC, id DESC LIMIT %(limit)s",
        {"address": str(address), "at": at, "limit": limit},
    )
    return [Holding(*row) for row in rows]
