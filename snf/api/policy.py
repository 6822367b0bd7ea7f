"""Who may call a route, as data: each route carries one rule.

The tables in ``docs/api.md`` are printed from the rules, and :func:`check` is all that
looks at them.
"""

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

from snf.api.call import identifier
from snf.core.errors import Forbidden
from snf.core.identity import Grant, Role
from snf.storage import users
from snf.storage.database import Transaction


class Reach(Enum):
    """Whose things a route shows or changes; the value is what the manual says."""

    # What is nobody's: documents, the caller's own token, the catalog.
    NOTHING = ""
    # The token's project's, and what is there for everybody.
    OWN = "own project"
    # The same, and any project's for those who are admin.
    WIDE = "own project; admins: any"
    # The caller's, whatever the project; and any user's who is named, for admins.
    MINE = "oneself's; admins: anybody's"
    # The caller's alone; a user in the URL is the caller.
    SELF = "oneself"
    # The same, or anybody for those who are admin; a list has only such users.
    USER = "oneself; admins: anybody"
    # The caller has a role in the project in the URL, or is admin; as with users.
    MEMBER = "projects with a role; admins: any"
    # Everything: for admins only.
    ANY = "any"


@frozen
class Rule:
    """Who may call a route.

    :ivar role: What the caller must hold in the token's project; None for everybody,
        also without a token.
    :ivar scoped: Whether the token must be for a project; one for none holds no role.
    :ivar reach: Whose things may be meant.
    """

    role: Role | None
    scoped: bool
    reach: Reach

    @property
    def who(self) -> str:
        """What the manual says of the role."""
        if self.role is None:
            return "open"
        return self.role.value if self.scoped else "any token"


def rule(role: Role | None, scoped: bool, reach: Reach | None) -> Rule:
    """Return a route's rule, with the reach that follows where none is given."""
    if reach is None:
        if role is None or not scoped:
            reach = Reach.NOTHING
        else:
            reach = Reach.ANY if role is Role.ADMIN else Reach.OWN
    return Rule(role, scoped, reach)


def check(txn: Transaction, asked: Rule, grant: Grant, url: Mapping[str, str]) -> None:
    """
    Return if a caller may call a route.

    Whether what the URL names is there at all is not looked at: what one may not do
    says nothing of that.

    :param url: What the route's URL names.
    :raises Forbidden: The token is for no project, does not hold the role, or the URL
        names somebody else.
    :raises NotFound: It names what cannot be the id of anything.
    """
    assert asked.role is not None
    if grant.project is None:
        if asked.scoped:
            raise Forbidden("The token is not scoped to a project")
    elif not grant.may(asked.role):
        raise Forbidden(f"This needs the role {asked.role.value}")
    if asked.reach is Reach.SELF or not grant.may(Role.ADMIN):
        _check_named(txn, asked.reach, grant, url)


def _check_named(
    txn: Transaction, reach: Reach, grant: Grant, url: Mapping[str, str]
) -> None:
    if reach in (Reach.SELF, Reach.USER) and "user" in url:
        named = identifier(url["user"], "Could not find user: {}.")
        if named != grant.user.id:
            raise Forbidden("You may do this for yourself only")
    if reach is Reach.MEMBER and "project" in url:
        named = identifier(url["project"], "Could not find project: {}.")
        if not users.roles(txn, grant.user.id, named):
            raise Forbidden("You have no role in this project")
