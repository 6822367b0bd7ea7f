"""``/users``: who can log in."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve, frozen
from msgspec import UNSET, UnsetType

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.identity import names, view
from snf.api.identity.bodies import (
    PasswordBody,
    UserBody,
    given,
    needed,
    same_domain,
)
from snf.api.identity.passwords import Guarded
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core import passwords
from snf.core.errors import BadRequest, NotFound, Unauthorized
from snf.core.identity import Role, User
from snf.storage import groups, users
from snf.storage.database import Transaction


@frozen
class Users:
    """``/users``.

    :ivar digest: A coroutine function of a password: what is to be kept of it.
    """

    app = new_app()

    edge: Edge
    page_size: int
    guarded: Guarded
    digest: Callable[[str], Awaitable[str]]

    @route(app, "GET", "/", scoped=False, reach=Reach.USER)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them, by name."""
        wanted = names.wanted(call, self.page_size)
        if not call.is_admin:
            wanted = evolve(wanted, ids=[call.grant.user.id])
        shown = [view.user(call, one) for one in users.users(txn, wanted)]
        return view.page(call, "users", shown, wanted.limit or self.page_size)

    @route(app, "POST", "/", role=Role.ADMIN, body=UserBody, code=201)
    async def create(self, call: Call) -> view.Json:
        """Make one; without a password nobody can log in as this user."""
        asked = call.body.user
        kept = await self._kept(asked.password) or passwords.NOBODY
        return await self.edge.database.run(self._create, call, asked, kept)

    def _create(self, txn: Transaction, call: Call, asked: Any, kept: str) -> view.Json:
        made = User(
            id=uuid4(),
            name=needed(asked.name, "user.name"),
            domain=names.new_domain(txn, asked.domain_id, "user"),
            default_project=_home(txn, asked.default_project_id, None),
            **given(asked, "description", "enabled"),
            email=asked.email or None,
        )
        users.add_user(txn, made, kept)
        note(txn, call, "user create", made.id)
        return {"user": view.user(call, made)}

    @route(app, "GET", "/<user>", scoped=False, reach=Reach.USER)
    def show(self, txn: Transaction, call: Call, user: str) -> view.Json:
        """Show one."""
        return {"user": view.user(call, names.user(txn, user))}

    @route(app, "PATCH", "/<user>", role=Role.ADMIN, body=UserBody)
    async def change(self, call: Call, user: str) -> view.Json:
        """Change one; disabling, or another password, ends all tokens of the user."""
        kept = await self._kept(call.body.user.password)
        return await self.edge.database.run(self._change, call, user, kept)

    def _change(
        self, txn: Transaction, call: Call, user: str, kept: str | None
    ) -> view.Json:
        before, asked = names.user(txn, user), call.body.user
        same_domain(asked.domain_id, before.domain.id, "user")
        after = evolve(
            before,
            **given(asked, "name", "description", "enabled", "email"),
            default_project=_home(
                txn, asked.default_project_id, before.default_project
            ),
        )
        after = evolve(after, email=after.email or None)
        users.change_user(txn, after)
        if kept is not None:
            users.set_password(txn, after.id, kept)
        note(txn, call, "user change", after.id)
        return {"user": view.user(call, after)}

    @route(app, "DELETE", "/<user>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, user: str) -> None:
        """Delete one; what the user has made is the projects', and stays."""
        gone = names.user(txn, user)
        users.remove_users(txn, [gone.id], call.now)
        note(txn, call, "user delete", gone.id)

    @route(
        app,
        "POST",
        "/<user>/password",
        scoped=False,
        reach=Reach.SELF,
        body=PasswordBody,
        code=204,
    )
    async def set_password(self, call: Call, user: str) -> None:
        """Give oneself another password, which ends all tokens."""
        asked = call.body.user
        known = await self.edge.database.run(
            users.credentials, call.grant.user.id, None
        )
        kept = None if known is None else known.password
        who = str(call.grant.user.id)
        if not await self.guarded.check(call, who, asked.original_password, kept):
            raise Unauthorized("The original password is not the present one.")
        new = await self.digest(asked.password)
        await self.edge.database.run(self._set_password, call, new)

    def _set_password(self, txn: Transaction, call: Call, kept: str) -> None:
        users.set_password(txn, call.grant.user.id, kept)
        note(txn, call, "user password", call.grant.user.id)

    @route(app, "GET", "/<user>/projects", scoped=False, reach=Reach.USER)
    def projects(self, txn: Transaction, call: Call, user: str) -> view.Json:
        """List the projects in which one has a role."""
        wanted = users.Wanted(user=names.user(txn, user).id, name=call.argument("name"))
        shown = [view.project(call, one) for one in users.projects(txn, wanted)]
        return view.listing(call, f"users/{user}/projects", "projects", shown)

    @route(app, "GET", "/<user>/groups", scoped=False, reach=Reach.USER)
    def groups(self, txn: Transaction, call: Call, user: str) -> view.Json:
        """List the groups that one is in."""
        wanted = users.Wanted(user=names.user(txn, user).id, name=call.argument("name"))
        shown = [view.group(call, one) for one in groups.listing(txn, wanted)]
        return view.listing(call, f"users/{user}/groups", "groups", shown)

    async def _kept(self, password: str | UnsetType | None) -> str | None:
        if password is UNSET or password is None:
            return None
        return await self.digest(str(password))


def _home(
    txn: Transaction, asked: str | UnsetType | None, before: UUID | None
) -> UUID | None:
    """Return the default project that a client asks for."""
    if asked is UNSET:
        return before
    if not asked:
        return None
    try:
        found = users.project(txn, identifier(str(asked), ""), None)
    except NotFound:
        found = None
    if found is None:
        raise BadRequest(f"user.default_project_id: there is no project {asked}")
    return found.id
