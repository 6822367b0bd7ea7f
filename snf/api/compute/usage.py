"""``/os-simple-tenant-usage``: what projects have used, as their servers' hours."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

from snf.api.call import Call
from snf.api.compute.view import precise
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.api.quotas import whose
from snf.core.errors import BadRequest
from snf.core.identity import Role
from snf.core.server import Status, vm_state
from snf.storage import usages
from snf.storage.database import Transaction
from snf.storage.usages import Period, ServerUsage, Total

_Json = dict[str, Any]

# How far back an account goes that does not say from when.
_LONG = timedelta(weeks=4)


@frozen
class Usage:
    """``/os-simple-tenant-usage``.

    Hours and totals are of all servers; of those that are told one by one there are as
    many as a page has.  There is no second page: after a marker nothing comes.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int

    @route(app, "GET", "/", role=Role.ADMIN)
    def everybody(self, txn: Transaction, call: Call) -> dict:
        """Tell what all projects have used; with ?detailed=1 by which servers."""
        period = _period(call)
        if call.argument("marker") is not None:
            return {"tenant_usages": []}
        shown = {
            total.project: _total(total, period)
            for total in usages.totals(txn, period, None, self.page_size)
        }
        if (call.argument("detailed") or "").lower() in ("1", "true"):
            for one in shown.values():
                one["server_usages"] = []
            for server in usages.of_servers(txn, period, None, self.page_size):
                if server.project in shown:
                    shown[server.project]["server_usages"].append(_server(server))
        return {"tenant_usages": [*shown.values()]}

    @route(app, "GET", "/<project>")
    def show(self, txn: Transaction, call: Call, project: str) -> dict:
        """Tell what a project has used, by which servers."""
        found = whose(txn, call, project)
        period = _period(call)
        if call.argument("marker") is not None:
            return {"tenant_usage": {}}
        # Where there is nothing Nova tells nothing, and its clients then fail.
        none = Total(found, 0.0, 0.0, 0.0, 0.0)
        [total] = usages.totals(txn, period, found, 1) or [none]
        servers = usages.of_servers(txn, period, found, self.page_size)
        shown = _total(total, period)
        return {"tenant_usage": {**shown, "server_usages": _servers(servers)}}


def _total(total: Total, period: Period) -> _Json:
    return {
        "tenant_id": str(total.project),
        "start": precise(period.start),
        "stop": precise(period.stop),
        "total_hours": total.hours,
        "total_vcpus_usage": total.cpu_hours,
        "total_memory_mb_usage": total.ram_mib_hours,
        "total_local_gb_usage": total.disk_gib_hours,
    }


def _servers(found: Iterable[ServerUsage]) -> list[_Json]:
    return [_server(one) for one in found]


def _server(usage: ServerUsage) -> _Json:
    gone = usage.status is Status.DELETED
    return {
        "tenant_id": str(usage.project),
        "instance_id": str(usage.uuid),
        "name": usage.name,
        "state": "terminated" if gone else vm_state(usage.status),
        "started_at": precise(usage.launched),
        "ended_at": precise(usage.deleted),
        "flavor": usage.flavor,
        "vcpus": usage.vcpus,
        "memory_mb": usage.ram_mib,
        "local_gb": usage.disk_gib,
        "hours": usage.hours,
        "uptime": usage.uptime_s,
    }


def _period(call: Call) -> Period:
    stop = _moment(call, "end") or call.now
    start = _moment(call, "start") or _before(stop)
    if start >= stop:
        raise BadRequest(
            "Invalid start time. The start time cannot occur after the end time."
        )
    return Period(start, stop)


def _before(stop: datetime) -> datetime:
    try:
        return stop - _LONG
    except OverflowError:
        raise BadRequest("end: is too long ago") from None


def _moment(call: Call, name: str) -> datetime | None:
    text = call.argument(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: must be a time, as in ISO 8601") from None
