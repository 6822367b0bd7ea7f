"""Quotas of projects: whose may be seen, and how they change, whichever API is asked."""

from collections.abc import Mapping
from uuid import UUID

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.quota import UNLIMITED, Amounts, Resource
from snf.storage import quotas, users
from snf.storage.database import Transaction

# What an API counts, by its own names.
Names = Mapping[str, Resource]


def whose(txn: Transaction, call: Call, project: str, given_as: str = "") -> UUID:
    """
    Return the id of a project that a caller may ask about: the own one, or any one.

    :param given_as: The field or parameter that names it, if it is not the URL.
    :raises Forbidden: It is not the caller's; whether it is there is not told.
    :raises BadRequest: There is none, which only admins are told.
    """
    try:
        found = identifier(project, project)
    except NotFound:
        found = None
    if found == call.project.id:
        return call.project.id
    if not call.is_admin:
        raise Forbidden("Policy doesn't allow to see what other projects may have.")
    if found is None or users.project(txn, found, None) is None:
        field = f"{given_as}: " if given_as else ""
        raise BadRequest(f"{field}Project ID {project} is not a valid project.")
    return found


def with_use(
    limits: Mapping[str, int], used: Amounts, names: Names, word: str
) -> dict[str, dict[str, int]]:
    """
    Return limits together with what is used of each.

    :param word: What an API calls that.
    """
    return {
        name: {
            "limit": limit,
            word: used[names[name]] if name in names else 0,
            "reserved": 0,
        }
        for name, limit in limits.items()
    }


def change(
    txn: Transaction,
    call: Call,
    project: UUID,
    wanted: Mapping[str, int],
    names: Names,
    checked: bool,
) -> None:
    """
    Set some limits of a project.

    :param checked: Whether none may be below what is used already.
    :raises BadRequest: One is.
    """
    if checked:
        _check_not_below(wanted, names, quotas.used(txn, project))
    limits = {names[name]: most for name, most in wanted.items()}
    quotas.set_limits(txn, project, limits)
    note(txn, call, "quota set", project)


def reset(txn: Transaction, call: Call, project: UUID, names: Names) -> None:
    """Let the defaults hold for a project again."""
    quotas.forget_limits(txn, project, tuple(names.values()))
    note(txn, call, "quota reset", project)


def _check_not_below(wanted: Mapping[str, int], names: Names, used: Amounts) -> None:
    # In Nova's words (nova/api/openstack/compute/quota_sets.py).
    for name, most in wanted.items():
        least = used[names[name]]
        if UNLIMITED < most < least:
            raise BadRequest(
                f"Quota limit {most} for {name} must be greater than or equal to "
                f"already used and reserved {least}."
            )
