"""Finding what a command names, and saying that it is not there."""

from snf.core.errors import NotFound
from snf.core.identity import Project, User
from snf.storage import users
from snf.storage.database import Transaction


def project(txn: Transaction, name: str) -> Project:
    """
    Return a project by its name.

    :raises NotFound: There is none.
    """
    found = users.project(txn, None, name)
    if found is None:
        raise NotFound(f"there is no project named {name!r}")
    return found


def user(txn: Transaction, name: str) -> User:
    """
    Return a user by their name.

    :raises NotFound: There is none.
    """
    found = users.credentials(txn, None, name)
    if found is None:
        raise NotFound(f"there is no user named {name!r}")
    return found.user
