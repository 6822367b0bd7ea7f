"""What projects have used: how long which servers were there."""

from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.server import Status
from snf.storage.database import Transaction
from snf.storage.rows import every


@frozen
class Period:
    """From when to when; ``start`` is before ``stop``."""

    start: datetime
    stop: datetime


@frozen
class Total:
    """What a project has used in a period: hours, each times what a server has."""

    project: UUID
    hours: float
    cpu_hours: float
    ram_mib_hours: float
    disk_gib_hours: float


@frozen
class ServerUsage:
    """How long one server was there in a period; ``uptime_s`` is all its life."""

    project: UUID
    uuid: UUID
    name: str
    status: Status
    launched: datetime
    deleted: datetime | None
    flavor: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    hours: float
    uptime_s: int


_THERE = (
    " FROM server s JOIN flavor f ON f.id = s.flavor_id CROSS JOIN LATERAL (SELECT"
    "  extract(epoch FROM least(coalesce(s.deleted, now()), %(stop)s, now())"
    "   - greatest(s.launched, %(start)s)) / 3600.0 AS hours) h"
    " WHERE s.launched < least(%(stop)s, now())"
    " AND (s.deleted IS NULL OR s.deleted > %(start)s)"
    " AND (%(project)s IS NULL OR s.project_id = %(project)s)"
)


def totals(
    txn: Transaction, period: Period, project: UUID | None, limit: int
) -> list[Total]:
    """Return what projects have used that have used something, by their ids."""
    rows = every(
        txn,
        "SELECT s.project_id, sum(h.hours), sum(h.hours * f.vcpus),"
        f" sum(h.hours * f.ram_mib), sum(h.hours * greatest(f.disk_gib, s.disk_gib)){_THERE}"
        " GROUP BY 1 ORDER BY 1 LIMIT %(limit)s",
        _given(period, project, limit),
    )
    return [Total(row[0], *map(float, row[1:])) for row in rows]


def of_servers(
    txn: Transaction, period: Period, project: UUID | None, limit: int
) -> list[ServerUsage]:
    """Return the servers that were there, of one project or of all; newest first."""
    rows = every(
        txn,
        "SELECT s.project_id, s.uuid, s.name, s.status, s.launched, s.deleted, f.name,"
        " f.vcpus, f.ram_mib, greatest(f.disk_gib, s.disk_gib), h.hours, extract(epoch FROM"
        f" coalesce(s.deleted, now()) - s.launched){_THERE}"
        " ORDER BY s.launched DESC, s.id DESC LIMIT %(limit)s",
        _given(period, project, limit),
    )
    return [_server_from(row) for row in rows]


def _server_from(row: tuple) -> ServerUsage:
    uptime_s = max(0, int(row[11]))
    values = (*row[:3], Status(row[3]), *row[4:10], float(row[10]), uptime_s)
    return ServerUsage(*values)


def _given(period: Period, project: UUID | None, limit: int) -> dict[str, object]:
    return {
        "start": period.start,
        "stop": period.stop,
        "project": project,
        "limit": limit,
    }
