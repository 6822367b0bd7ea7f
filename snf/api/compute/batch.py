"""Asking for several servers at once."""

from uuid import UUID

import msgspec
from attrs import define, field

from snf.api.call import Call
from snf.api.compute.bodies import NewServer
from snf.api.compute.build import Builder, Built
from snf.core.errors import BadRequest, Conflict, QuotaExceeded, Unavailable
from snf.storage import quotas
from snf.storage.database import Transaction

_NAME_AT_MOST = 255
_LABEL_AT_MOST = 63


@define
class Batch:
    """Servers that were asked for together; their guests are told one password."""

    reservation: str
    servers: list[UUID] = field(factory=list)
    admin_pass: str | None = field(default=None, repr=False)

    def add(self, built: Built) -> None:
        """Take in one more."""
        self.servers.append(built.uuid)
        self.admin_pass = built.admin_pass


def build(
    txn: Transaction,
    call: Call,
    builder: Builder,
    wanted: NewServer,
    group: str | None = None,
) -> Batch:
    """
    Store as many servers as can be had, and order their builds.

    :param group: The id of the server group that they are to be in.
    :raises BadRequest: What is wanted makes no sense.
    :raises SnfError: Fewer than ``min_count`` can be had; why.
    """
    least = wanted.min_count or 1
    most = wanted.max_count or least
    if least > most:
        raise BadRequest("server.min_count: must be <= max_count")
    # All of one request have one id; no two requests have the same.
    batch = Batch(f"r-{call.request_id[-12:]}")
    if most == 1:
        batch.add(builder.build(txn, call, wanted, batch.reservation, group=group))
        return batch

    def another(index: int) -> None:
        one = _numbered(wanted, index + 1)
        how = (batch.reservation, index, group, quotas.take, batch.admin_pass)
        batch.add(builder.build(txn, call, one, *how))

    for index in range(most):
        if index < least:
            another(index)
            continue
        txn.execute("SAVEPOINT another")
        try:
            another(index)
        except (Conflict, QuotaExceeded, Unavailable):
            txn.execute("ROLLBACK TO SAVEPOINT another")
            break
        txn.execute("RELEASE SAVEPOINT another")
    return batch


def _numbered(wanted: NewServer, number: int) -> NewServer:
    """Return one of several that are wanted, with a name of its own, as Nova's."""
    end = f"-{number}"
    name = wanted.name.strip()[: _NAME_AT_MOST - len(end)] + end
    hostname = wanted.hostname
    if isinstance(hostname, str):
        label, dot, domain = hostname.partition(".")
        hostname = label[: _LABEL_AT_MOST - len(end)] + end + dot + domain
    return msgspec.structs.replace(wanted, name=name, hostname=hostname)
