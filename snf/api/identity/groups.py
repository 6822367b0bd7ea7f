"""``/groups``: users who have their roles together."""

from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.identity import names, view
from snf.api.identity.bodies import GroupBody, given, needed, same_domain
from snf.api.json import Edge, new_app, route
from snf.core.errors import NotFound
from snf.core.identity import Group, Role
from snf.storage import groups, users
from snf.storage.database import Transaction


@frozen
class Groups:
    """``/groups``."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them, by name."""
        wanted = names.wanted(call, self.page_size)
        shown = [view.group(call, one) for one in groups.listing(txn, wanted)]
        return view.page(call, "groups", shown, wanted.limit or self.page_size)

    @route(app, "POST", "/", role=Role.ADMIN, body=GroupBody, code=201)
    def create(self, txn: Transaction, call: Call) -> view.Json:
        """Make one."""
        asked = call.body.group
        made = Group(
            id=uuid4(),
            name=needed(asked.name, "group.name"),
            domain=names.new_domain(txn, asked.domain_id, "group"),
            **given(asked, "description"),
        )
        groups.add(txn, made)
        note(txn, call, "group create", made.id)
        return {"group": view.group(call, made)}

    @route(app, "GET", "/<group>", role=Role.ADMIN)
    def show(self, txn: Transaction, call: Call, group: str) -> view.Json:
        """Show one."""
        return {"group": view.group(call, names.group(txn, group))}

    @route(app, "PATCH", "/<group>", role=Role.ADMIN, body=GroupBody)
    def change(self, txn: Transaction, call: Call, group: str) -> view.Json:
        """Change one."""
        before, asked = names.group(txn, group), call.body.group
        same_domain(asked.domain_id, before.domain.id, "group")
        after = evolve(before, **given(asked, "name", "description"))
        groups.change(txn, after)
        note(txn, call, "group change", after.id)
        return {"group": view.group(call, after)}

    @route(app, "DELETE", "/<group>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, group: str) -> None:
        """Delete one; its members lose what they have by it."""
        gone = names.group(txn, group)
        groups.remove(txn, gone.id)
        note(txn, call, "group delete", gone.id)

    @route(app, "GET", "/<group>/users", role=Role.ADMIN)
    def members(self, txn: Transaction, call: Call, group: str) -> view.Json:
        """List who is in one."""
        found = users.users(txn, users.Wanted(group=names.group(txn, group).id))
        shown = [view.user(call, one) for one in found]
        return view.listing(call, f"groups/{group}/users", "users", shown)

    @route(app, "GET", "/<group>/users/<user>", role=Role.ADMIN, code=204)
    def has(self, txn: Transaction, call: Call, group: str, user: str) -> None:
        """Tell whether a user is in one: 204, or 404."""
        whom = names.user(txn, user)
        if not groups.has(txn, names.group(txn, group).id, whom.id):
            raise NotFound(f"Could not find user {user} in group {group}.")

    @route(app, "PUT", "/<group>/users/<user>", role=Role.ADMIN, code=204)
    def join(self, txn: Transaction, call: Call, group: str, user: str) -> None:
        """Put a user into one."""
        joined = names.group(txn, group)
        groups.join(txn, joined.id, names.user(txn, user).id)
        note(txn, call, "group join", joined.id)

    @route(app, "DELETE", "/<group>/users/<user>", role=Role.ADMIN, code=204)
    def leave(self, txn: Transaction, call: Call, group: str, user: str) -> None:
        """Take a user out of one, which ends the tokens that its roles gave."""
        left = names.group(txn, group)
        if not groups.leave(txn, left.id, names.user(txn, user).id):
            raise NotFound(f"Could not find user {user} in group {group}.")
        note(txn, call, "group leave", left.id)
