"""Domains, in which names are unique."""

from snf.core.identity import Domain
from snf.storage.database import Transaction
from snf.storage.rows import every, one


def listing(txn: Transaction, name: str | None = None) -> list[Domain]:
    """Return all domains, or those with a name in any case, by name."""
    rows = every(
        txn,
        "SELECT id, name, description, enabled FROM domain"
        " WHERE %(name)s::text IS NULL OR lower(name) = lower(%(name)s) ORDER BY name",
        {"name": name},
    )
    return [Domain(*row) for row in rows]


def get(txn: Transaction, domain_id: str) -> Domain | None:
    """Return a domain; None when there is none."""
    row = one(
        txn,
        "SELECT id, name, description, enabled FROM domain WHERE id = %s",
        (domain_id,),
    )
    return None if row is None else Domain(*row)
