"""``/projects``: who owns servers."""

from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.identity import names, view
from snf.api.identity.bodies import ProjectBody, given, needed, same_domain
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest
from snf.core.identity import Project, Role
from snf.storage import users
from snf.storage.database import Transaction


@frozen
class Projects:
    """``/projects``."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/", scoped=False, reach=Reach.MEMBER)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them, by name."""
        wanted = names.wanted(call, self.page_size)
        if not call.is_admin:
            wanted = evolve(wanted, user=call.grant.user.id)
        shown = [view.project(call, one) for one in users.projects(txn, wanted)]
        return view.page(call, "projects", shown, wanted.limit or self.page_size)

    @route(app, "POST", "/", role=Role.ADMIN, body=ProjectBody, code=201)
    def create(self, txn: Transaction, call: Call) -> view.Json:
        """Make one."""
        asked = call.body.project
        domain = names.new_domain(txn, asked.domain_id, "project")
        if asked.parent_id not in (None, domain.id):
            raise BadRequest("project.parent_id: projects do not nest")
        made = Project(
            id=uuid4(),
            name=needed(asked.name, "project.name"),
            domain=domain,
            **given(asked, "description", "enabled"),
        )
        users.add_project(txn, made)
        note(txn, call, "project create", made.id)
        return {"project": view.project(call, made)}

    @route(app, "GET", "/<project>", scoped=False, reach=Reach.MEMBER)
    def show(self, txn: Transaction, call: Call, project: str) -> view.Json:
        """Show one."""
        return {"project": view.project(call, names.project(txn, project))}

    @route(app, "PATCH", "/<project>", role=Role.ADMIN, body=ProjectBody)
    def change(self, txn: Transaction, call: Call, project: str) -> view.Json:
        """Change one; disabling it ends its tokens."""
        before, asked = names.project(txn, project), call.body.project
        same_domain(asked.domain_id, before.domain.id, "project")
        after = evolve(before, **given(asked, "name", "description", "enabled"))
        users.change_project(txn, after)
        note(txn, call, "project change", after.id)
        return {"project": view.project(call, after)}

    @route(app, "DELETE", "/<project>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, project: str) -> None:
        """Delete one that owns nothing any more."""
        gone = names.project(txn, project)
        users.remove_projects(txn, [gone.id], call.now)
        note(txn, call, "project delete", gone.id)
