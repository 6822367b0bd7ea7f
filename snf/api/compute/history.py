"""``/servers/{id}/os-instance-actions``: who did what to a server, and how it ended."""

from typing import Any
from urllib.parse import urlencode

from attrs import frozen

from snf.api.call import Call
from snf.api.compute import filters, versions, view
from snf.api.compute.owned import locate
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, NotFound
from snf.storage import actions
from snf.storage.actions import Action, Event, Wanted
from snf.storage.database import Transaction

Json = dict[str, Any]

_PARAMETERS = frozenset({"limit", "marker", "changes-since"})


@frozen
class History:
    """``/servers/{id}/os-instance-actions``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int

    @route(app, "GET", "/<server>/os-instance-actions")
    def listing(self, txn: Transaction, call: Call, server: str) -> Json:
        """List what was done to one, the newest first."""
        number, uuid = _locate(txn, call, server)
        if not call.since(versions.ACTION_PAGES):
            found = actions.listing(txn, Wanted(number), self.page_size)
            return {"instanceActions": [_action(call, one) for one in found]}
        limit = call.limit(self.page_size)
        found = actions.listing(txn, _wanted(call, number), limit)
        answer: Json = {"instanceActions": [_action(call, one) for one in found]}
        if found and len(found) == limit:
            query = {**call.arguments, "marker": [found[-1].request_id]}
            path = f"{call.base}/servers/{uuid}/os-instance-actions"
            href = f"{path}?{urlencode(query, doseq=True)}"
            answer["links"] = [{"rel": "next", "href": href}]
        return answer

    @route(app, "GET", "/<server>/os-instance-actions/<done_by>")
    def show(self, txn: Transaction, call: Call, server: str, done_by: str) -> Json:
        """Show what a request did to one, and how that ended."""
        number, _ = _locate(txn, call, server)
        if "\0" in done_by:
            raise NotFound("Action for request_id not found")
        found = actions.get(txn, number, done_by)
        shown = _action(call, found)
        if call.is_admin or call.since(versions.EVENTS_FOR_OWNERS):
            shown["events"] = [_event(call, found, event) for event in found.events]
        return {"instanceAction": shown}


def _locate(txn: Transaction, call: Call, server: str) -> Any:
    return locate(txn, call, server, call.since(versions.ACTIONS_OF_DELETED))


def _wanted(call: Call, server: int) -> Wanted:
    known = _PARAMETERS
    if call.since(versions.CHANGED_BEFORE):
        known |= {"changes-before"}
    call.check_known(known)
    since, before = (
        filters.moment_if_any(call, name)
        for name in (filters.CHANGES_SINCE, "changes-before")
    )
    if since is not None and before is not None and since > before:
        raise BadRequest("changes-since: must not be after changes-before")
    return Wanted(server, call.argument("marker"), since, before)


def _action(call: Call, action: Action) -> Json:
    shown: Json = {
        "action": action.action,
        "instance_uuid": str(action.server),
        "request_id": action.request_id,
        "user_id": None if action.user is None else str(action.user),
        "project_id": str(action.project),
        "start_time": view.precise(action.started),
        "message": "Error" if action.failed else None,
    }
    if call.since(versions.ACTION_PAGES):
        shown["updated_at"] = view.precise(action.updated)
    return shown


def _event(call: Call, action: Action, event: Event) -> Json:
    shown: Json = {
        "event": _name(action.action, event.kind),
        "start_time": view.precise(event.started),
        "finish_time": view.precise(event.ended),
        "result": _RESULTS[event.succeeded],
    }
    if call.is_admin:
        shown["traceback"] = None
    if call.since(versions.EVENT_HOST):
        shown["hostId"] = view.host_id(action.project, event.cluster)
        if call.is_admin:
            shown["host"] = event.cluster
    if call.since(versions.EVENT_DETAILS):
        shown["details"] = event.error if event.succeeded is False else None
    return shown


_RESULTS = {True: "Success", False: "Error", None: None}


def _name(action: str, kind: str) -> str:
    """Return what Nova calls it (nova/compute/manager.py); most follow a pattern."""
    if action in _STEPS:
        return _STEPS[action].get(kind, f"compute_{kind}_instance")
    return _EVENTS.get(kind, f"compute_{kind}_instance")


_EVENTS = {
    "create": "compute__do_build_and_run_instance",
    "delete": "compute_terminate_instance",
    "migrate": "cold_migrate",
    "live-migration": "compute_live_migration",
    "evacuate": "compute_rebuild_instance",
    "image": "compute_snapshot_instance",
}

_STEPS = {
    "createBackup": {"image": "compute_backup_instance"},
    "resize": {
        "grow": "compute_prep_resize",
        "modify": "compute_resize_instance",
        "reboot": "compute_finish_resize",
    },
    "revertResize": {
        "modify": "compute_revert_resize",
        "reboot": "compute_finish_revert_resize",
    },
}
