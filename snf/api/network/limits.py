"""Counting what a project gets, with refusals in Neutron's words."""

from collections.abc import Mapping
from uuid import UUID

from snf.core.errors import Conflict, QuotaExceeded
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction

# As the network API calls what is counted.
NAMES: Mapping[str, Resource] = {
    "network": Resource.NETWORKS,
    "subnet": Resource.SUBNETS,
    "port": Resource.PORTS,
}


class OverQuota(Conflict):
    """Named as Neutron names it."""


def take(
    txn: Transaction, project: UUID | None, wanted: Amounts, defaults: Amounts
) -> None:
    """
    Count what a project is about to get; the operator's own does not count.

    :raises OverQuota: It would be more than the project may have.
    """
    if project is None:
        return
    try:
        quotas.take(txn, project, wanted, defaults)
    except QuotaExceeded:
        names = sorted(name for name, one in NAMES.items() if one in wanted)
        raise OverQuota(f"Quota exceeded for resources: {names}.") from None
