"""Finding what a URL, a body or a query names, and saying that it is not there."""

from uuid import UUID

from snf.api.call import Call, identifier
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import DEFAULT_DOMAIN, Domain, Group, Project, Role, User
from snf.storage import domains, groups, users
from snf.storage.database import Transaction


def project(txn: Transaction, text: str) -> Project:
    """
    Return the project that a URL names.

    :raises NotFound: There is none.
    """
    message = f"Could not find project: {text}."
    found = users.project(txn, identifier(text, message), None)
    if found is None:
        raise NotFound(message)
    return found


def user(txn: Transaction, text: str) -> User:
    """
    Return the user that a URL names.

    :raises NotFound: There is none.
    """
    message = f"Could not find user: {text}."
    found = users.credentials(txn, identifier(text, message), None)
    if found is None:
        raise NotFound(message)
    return found.user


def group(txn: Transaction, text: str) -> Group:
    """
    Return the group that a URL names.

    :raises NotFound: There is none.
    """
    message = f"Could not find group: {text}."
    found = groups.get(txn, identifier(text, message))
    if found is None:
        raise NotFound(message)
    return found


def role(text: str) -> Role:
    """
    Return the role that a URL names.

    :raises NotFound: There is none.
    """
    try:
        return Role(text)
    except ValueError:
        raise NotFound(f"Could not find role: {text}.") from None


def domain(txn: Transaction, text: str) -> Domain:
    """
    Return the domain that a URL names.

    :raises NotFound: There is none.
    """
    found = None if "\0" in text else domains.get(txn, text)
    if found is None:
        raise NotFound(f"Could not find domain: {text}.")
    return found


def new_domain(txn: Transaction, asked: str | None, noun: str) -> Domain:
    """
    Return the domain in which a new thing is to be.

    :raises BadRequest: There is none of that id.
    """
    if asked is None:
        return DEFAULT_DOMAIN
    found = None if "\0" in asked else domains.get(txn, asked, keep=True)
    if found is None:
        raise BadRequest(f"{noun}.domain_id: there is no domain {asked}")
    return found


def wanted(call: Call, page_size: int) -> users.Wanted:
    """Return which items a list is to have, by the filters that all lists take."""
    enabled = call.argument("enabled")
    return users.Wanted(
        name=call.argument("name"),
        domain=call.argument("domain_id"),
        enabled=None if enabled is None else present(call, "enabled"),
        marker=call.marker(),
        limit=call.limit(page_size),
    )


def present(call: Call, name: str) -> bool:
    """Return a query argument that says yes or no; its name alone is a yes."""
    return call.argument(name) == "" or call.flag(name)


def asked_id(call: Call, name: str) -> UUID | None:
    """
    Return the id that a query argument holds; None when it is not given.

    :raises NotFound: It is not an id.
    """
    text = call.argument(name)
    return None if text is None else identifier(text, f"{name}: {{}}")
