"""Roles, and who has which where: ``/roles``, ``/role_assignments`` and the grants
below ``/projects``.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.identity import names, view
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import Forbidden, NotFound
from snf.core.identity import Role
from snf.storage import grants
from snf.storage.database import Transaction
from snf.storage.grants import Assignment, Holder


@frozen
class Roles:
    """``/roles``: there are these three; a role's id is its name."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them."""
        name = call.argument("name")
        shown = [view.role(call, one) for one in Role if name in (None, one.value)]
        return view.listing(call, "roles", "roles", shown)

    @route(app, "GET", "/<role>", scoped=False)
    def show(self, txn: Transaction, call: Call, role: str) -> view.Json:
        """Show one."""
        return {"role": view.role(call, names.role(role))}


@frozen
class Grants:
    """``/projects/<project>/users`` and ``groups``: the roles that one has there.

    :ivar holder: Which of the two.
    """

    edge: Edge
    holder: Holder

    def _who(self, txn: Transaction, who: str) -> UUID:
        if self.holder is Holder.USER:
            return names.user(txn, who).id
        return names.group(txn, who).id

    def roles(self, txn: Transaction, call: Call, project: str, who: str) -> view.Json:
        """Return the roles that one has in a project."""
        held = grants.of(
            txn, self.holder, self._who(txn, who), names.project(txn, project).id
        )
        path = f"projects/{project}/{self.holder.value}s/{who}/roles"
        shown = [view.role(call, role) for role in Role if role in held]
        return view.listing(call, path, "roles", shown)

    def check(self, txn: Transaction, project: str, who: str, role: str) -> None:
        """Return if one has a role in a project."""
        asked = names.role(role)
        held = grants.of(
            txn, self.holder, self._who(txn, who), names.project(txn, project).id
        )
        if asked not in held:
            raise self._missing(role)

    def give(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Give one a role in a project."""
        holder, where = self._who(txn, who), names.project(txn, project)
        grants.give(txn, self.holder, holder, where.id, names.role(role))
        note(txn, call, f"role give {role}", holder)

    def take(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Take a role away."""
        holder, where = self._who(txn, who), names.project(txn, project)
        if not grants.take(txn, self.holder, holder, where.id, names.role(role)):
            raise self._missing(role)
        note(txn, call, f"role take {role}", holder)

    def _missing(self, role: str) -> NotFound:
        return NotFound(f"Could not find role assignment with role: {role}.")


@frozen
class UserGrants:
    """``/projects/<project>/users``."""

    app = new_app()

    edge: Edge

    @property
    def _grants(self) -> Grants:
        return Grants(self.edge, Holder.USER)

    @route(app, "GET", "/<project>/users/<who>/roles", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call, project: str, who: str) -> view.Json:
        """List the roles that a user has in a project, not through groups."""
        return self._grants.roles(txn, call, project, who)

    @route(app, "GET", "/<project>/users/<who>/roles/<role>", role=Role.ADMIN, code=204)
    def check(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Tell whether a user has a role in a project: 204, or 404."""
        self._grants.check(txn, project, who, role)

    @route(app, "PUT", "/<project>/users/<who>/roles/<role>", role=Role.ADMIN, code=204)
    def give(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Give a user a role in a project."""
        self._grants.give(txn, call, project, who, role)

    @route(
        app, "DELETE", "/<project>/users/<who>/roles/<role>", role=Role.ADMIN, code=204
    )
    def take(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Take a role from a user, which ends the user's tokens for the project."""
        self._grants.take(txn, call, project, who, role)


@frozen
class GroupGrants:
    """``/projects/<project>/groups``."""

    app = new_app()

    edge: Edge

    @property
    def _grants(self) -> Grants:
        return Grants(self.edge, Holder.GROUP)

    @route(app, "GET", "/<project>/groups/<who>/roles", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call, project: str, who: str) -> view.Json:
        """List the roles that a group has in a project."""
        return self._grants.roles(txn, call, project, who)

    @route(
        app, "GET", "/<project>/groups/<who>/roles/<role>", role=Role.ADMIN, code=204
    )
    def check(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Tell whether a group has a role in a project: 204, or 404."""
        self._grants.check(txn, project, who, role)

    @route(
        app, "PUT", "/<project>/groups/<who>/roles/<role>", role=Role.ADMIN, code=204
    )
    def give(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Give a group a role in a project."""
        self._grants.give(txn, call, project, who, role)

    @route(
        app, "DELETE", "/<project>/groups/<who>/roles/<role>", role=Role.ADMIN, code=204
    )
    def take(
        self, txn: Transaction, call: Call, project: str, who: str, role: str
    ) -> None:
        """Take a role from a group, which ends its members' tokens for the project."""
        self._grants.take(txn, call, project, who, role)


@frozen
class Assignments:
    """``/role_assignments``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False, reach=Reach.USER)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List who has which role where."""
        shown = [
            _assignment(call, one, names.present(call, "include_names"))
            for one in self._found(txn, call)
        ]
        return view.listing(call, "role_assignments", "role_assignments", shown)

    def _found(self, txn: Transaction, call: Call) -> Sequence[Assignment]:
        try:
            user = names.asked_id(call, "user.id")
            group = names.asked_id(call, "group.id")
            project = names.asked_id(call, "scope.project.id")
        except NotFound:
            return []
        effective = names.present(call, "effective")
        if not call.is_admin:
            if group is not None or user not in (None, call.grant.user.id):
                raise Forbidden("You may see your own roles only")
            user = call.grant.user.id
        if call.argument("scope.domain.id") or call.argument("scope.system"):
            return []  # roles are had in projects only
        return grants.listing(
            txn,
            grants.Wanted(user, group, project, call.argument("role.id"), effective),
        )


def _assignment(call: Call, one: Assignment, named: bool) -> view.Json:
    holder = "user" if one.user is not None else "group"
    who: view.Json = {"id": str(one.user or one.group)}
    role: view.Json = {"id": one.role.value}
    project: view.Json = {"id": str(one.project)}
    if named:
        who |= {"name": one.name, "domain": _domain(one.domain)}
        role["name"] = one.role.value
        project |= {"name": one.project_name, "domain": _domain(one.project_domain)}
    had_by = f"groups/{one.group}" if one.group is not None else f"users/{one.user}"
    place = f"{call.base}/projects/{one.project}/{had_by}/roles/{one.role.value}"
    links = {"assignment": place}
    if one.user is not None and one.group is not None:
        links["membership"] = f"{call.base}/groups/{one.group}/users/{one.user}"
    return {"role": role, holder: who, "scope": {"project": project}, "links": links}


def _domain(one: tuple[str, str]) -> dict[str, Any]:
    return {"id": one[0], "name": one[1]}
