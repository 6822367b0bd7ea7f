"""``/v2/tasks`` and ``/v2/images/{id}/tasks``: how imports are getting on."""

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.image import view
from snf.api.image.owned import find
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import Forbidden, NotFound
from snf.core.identity import Role
from snf.storage import imports
from snf.storage.database import Transaction

_MISSING = "Task not found for task_id {}"


@frozen
class OfImage:
    """The imports of one image."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<image>/tasks")
    def listing(self, txn: Transaction, call: Call, image: str) -> dict:
        """List how the imports of one are getting on, the newest first."""
        found = find(txn, call, image)
        if not call.is_admin and found.project != call.grant.project_id:
            raise Forbidden("You are not permitted to see the tasks of this image.")
        return {"tasks": [view.task(one) for one in imports.of(txn, found.id)]}


@frozen
class Tasks:
    """All imports, for those who run the cloud; as Glance has it."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/", role=Role.ADMIN)
    def listing(self, txn: Transaction, call: Call) -> dict:
        """List how imports are getting on, the newest first."""
        found = imports.listing(txn, None, None, call.limit(self.page_size))
        return {
            "tasks": [view.task(one) for one in found],
            "first": "/v2/tasks",
            "schema": "/v2/schemas/tasks",
        }

    @route(app, "GET", "/<task>", role=Role.ADMIN)
    def show(self, txn: Transaction, call: Call, task: str) -> dict:
        """Show how an import is getting on."""
        found = imports.listing(txn, None, identifier(task, _MISSING), 1)
        if not found:
            raise NotFound(_MISSING.format(task))
        return view.task(found[0])
