"""What the making of servers' disks has told."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from psycopg2.extras import execute_values

from snf.core.report import DiagnosticReport
from snf.storage.database import Transaction
from snf.storage.rows import every

# Of one server; a build tells some dozens.
AT_MOST = 500


@frozen
class Diagnostic:
    """One thing that was told; ``dated`` is by the clock of the node that told it."""

    level: str
    source: str
    message: str
    details: Any
    created: datetime
    dated: datetime | None


def add(txn: Transaction, reports: Collection[DiagnosticReport]) -> None:
    """Store what has been told of servers that are there; what comes again is the same."""
    if not reports:
        return
    execute_values(
        txn,
        "INSERT INTO server_diagnostic"
        " (server_id, dated, level, source, message, details)"
        " SELECT n.server::bigint, to_timestamp(n.time::float8), n.level, n.source,"
        " n.message, n.details::jsonb"
        " FROM (VALUES %s) n (server, time, level, source, message, details)"
        " WHERE (SELECT count(*) FROM server_diagnostic d"
        f"  WHERE d.server_id = n.server::bigint) < {AT_MOST}"
        " ON CONFLICT DO NOTHING",
        [
            (
                report.server,
                report.time,
                report.level.value,
                report.source,
                report.message,
                report.details,
            )
            for report in reports
        ],
    )


def listing(txn: Transaction, server: int) -> Sequence[Diagnostic]:
    """Return what has been told of a server, the newest first."""
    rows = every(
        txn,
        "SELECT level, source, message, details, created, dated FROM server_diagnostic"
        " WHERE server_id = %s ORDER BY coalesce(dated, created) DESC, id DESC",
        (server,),
    )
    return [Diagnostic(*row) for row in rows]
