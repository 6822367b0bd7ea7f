"""Ganeti clusters."""

from collections.abc import Sequence
from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core import placement
from snf.core.catalog import Cluster
from snf.core.errors import Conflict, Unavailable
from snf.core.placement import Candidate, Need
from snf.core.server_group import Company
from snf.storage import capacities
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one, required

_COLUMNS = (
    "c.id, c.name, c.url, c.username, c.password_file, c.tls, c.ca_file,"
    " c.disk_templates, c.mac_prefix, c.drained, c.offline, c.last_job,"
    " c.unreachable_since"
)


def _from_row(row: tuple) -> Cluster:
    values = (*row[:7], tuple(row[7]), *row[8:])
    return Cluster(*values)


_ALL = Prepared("clusters", f"SELECT {_COLUMNS} FROM cluster c ORDER BY c.name")


def listing(txn: Transaction) -> list[Cluster]:
    """Return all clusters, by name."""
    return [_from_row(row) for row in _ALL.every(txn)]


# A project that has clusters of its own has its servers there only, and no other has.
_OPEN = Prepared(
    "cluster_open",
    f"SELECT {_COLUMNS}, {capacities.COLUMNS} FROM cluster c"
    " LEFT JOIN cluster_capacity y ON y.cluster_id = c.id"
    " WHERE NOT c.drained AND NOT c.offline"
    " AND (c.disk_templates = '{}' OR $1 = ANY(c.disk_templates))"
    " AND CASE WHEN EXISTS"
    "  (SELECT FROM cluster_project WHERE project_id = $2)"
    " THEN EXISTS (SELECT FROM cluster_project p"
    "  WHERE p.cluster_id = c.id AND p.project_id = $2)"
    " ELSE NOT EXISTS (SELECT FROM cluster_project p WHERE p.cluster_id = c.id)"
    " END",
)
_CAPACITY_AT = _COLUMNS.count(",") + 1


def choose(
    txn: Transaction, project: UUID, need: Need, company: Company | None = None
) -> Cluster:
    """
    Return the cluster on which to put a project's new server.

    :param company: Of the group that it is to be in.
    :raises Unavailable: None takes new servers of this kind now.
    :raises Conflict: Some do, but the policy of its group cannot be kept there.
    """
    rows = _OPEN.every(txn, need.disk_template, project)
    found = {row[0]: _from_row(row[:_CAPACITY_AT]) for row in rows}
    candidates = [
        Candidate(
            cluster=row[0],
            reachable=found[row[0]].unreachable_since is None,
            capacity=capacities.from_row(row[_CAPACITY_AT:]),
        )
        for row in rows
    ]
    if len(candidates) > 1:  # of a single one it does not matter how full it is
        candidates = capacities.counted(txn, candidates)
    chosen = placement.choose(candidates, need, company)
    if chosen is None and candidates:
        raise Conflict(
            "The server group wants its servers together, and where the others are no "
            "new one is taken now"
        )
    if chosen is None:
        raise Unavailable("No cluster takes new servers of this kind now")
    return found[chosen]


def get(txn: Transaction, cluster_id: int) -> Cluster:
    """
    Return a cluster.

    :raises NotFound: There is none.
    """
    return _from_row(
        required(
            txn,
            f"there is no cluster {cluster_id}",
            f"SELECT {_COLUMNS} FROM cluster c WHERE c.id = %s",
            (cluster_id,),
        )
    )


def named(txn: Transaction, name: str) -> Cluster:
    """
    Return a cluster by its name.

    :raises NotFound: There is none.
    """
    return _from_row(
        required(
            txn,
            f"there is no cluster named {name!r}",
            f"SELECT {_COLUMNS} FROM cluster c WHERE c.name = %s",
            (name,),
        )
    )


def set_use(
    txn: Transaction, cluster_id: int, drained: bool | None, offline: bool | None
) -> None:
    """Store whether a cluster takes new servers, and is called; None: as it was."""
    txn.execute(
        "UPDATE cluster SET drained = coalesce(%s, drained),"
        " offline = coalesce(%s, offline) WHERE id = %s",
        (drained, offline, cluster_id),
    )


def keep_for(txn: Transaction, cluster_id: int, projects: Sequence[UUID]) -> None:
    """Let a cluster take new servers of some projects only; of all when there is none."""
    txn.execute("DELETE FROM cluster_project WHERE cluster_id = %s", (cluster_id,))
    for project in projects:
        txn.execute(
            "INSERT INTO cluster_project (cluster_id, project_id) VALUES (%s, %s)"
            " ON CONFLICT DO NOTHING",
            (cluster_id, project),
        )


def kept_for(txn: Transaction) -> dict[int, list[str]]:
    """Return the names of the projects for which clusters are kept, by their ids."""
    rows = every(
        txn,
        "SELECT k.cluster_id, array_agg(p.name ORDER BY p.name) FROM cluster_project k"
        " JOIN project p ON p.id = k.project_id GROUP BY 1",
    )
    return dict(rows)


def add(txn: Transaction, cluster: Cluster) -> int:
    """
    Store a new cluster and return its id; the id given does not matter.

    :raises Conflict: The name is taken.
    """
    try:
        row = one(
            txn,
            "INSERT INTO cluster (name, url, username, password_file, tls, ca_file,"
            " disk_templates, mac_prefix) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " RETURNING id",
            (
                cluster.name,
                cluster.url,
                cluster.username,
                cluster.password_file,
                cluster.tls,
                cluster.ca_file,
                list(cluster.disk_templates),
                cluster.mac_prefix,
            ),
        )
    except UniqueViolation:
        raise Conflict(f"there is a cluster named {cluster.name!r} already") from None
    assert row is not None
    return row[0]


def move(txn: Transaction, cluster_id: int, url: str, tls: str) -> None:
    """Store where a cluster's remote API is from now on, and how it is known."""
    txn.execute(
        "UPDATE cluster SET url = %s, tls = %s WHERE id = %s", (url, tls, cluster_id)
    )


_SAW_JOB = Prepared(
    "cluster_saw_job",
    "UPDATE cluster SET last_job = $2 WHERE id = $1 AND last_job < $2",
)


def saw_job(txn: Transaction, cluster_id: int, job: int) -> None:
    """Remember that a cluster has got as far as a job."""
    # With the commit: several who have submitted something do so at once.
    _SAW_JOB.later(txn, cluster_id, job)


def recognize(txn: Transaction, cluster_id: int, uuid: str) -> bool:
    """
    Remember which cluster answers; return whether there was another one before.

    Its jobs are then counted from 1 again: those of what is still to be done are not
    above what was seen of the other one's.
    """
    row = one(txn, "SELECT uuid FROM cluster WHERE id = %s FOR UPDATE", (cluster_id,))
    if row is None or row[0] == uuid:
        return False
    another = row[0] is not None
    txn.execute(
        "UPDATE cluster SET uuid = %s, last_job = CASE WHEN %s THEN 0 ELSE last_job END"
        " WHERE id = %s",
        (uuid, another, cluster_id),
    )
    if another:
        txn.execute(
            "UPDATE orders SET job_floor = 0 WHERE cluster_id = %s"
            " AND state IN ('new', 'submitting') AND job_floor IS NOT NULL",
            (cluster_id,),
        )
    return another


_SET_REACHABLE = Prepared(
    "cluster_set_reachable",
    "UPDATE cluster SET unreachable_since = CASE WHEN $2 THEN NULL"
    " ELSE coalesce(unreachable_since, now()) END WHERE id = $1"
    " AND (unreachable_since IS NULL) <> $2",
)


def set_reachable(txn: Transaction, cluster_id: int, reachable: bool) -> None:
    """Remember since when a cluster has not been reached, or that it has been."""
    _SET_REACHABLE.later(txn, cluster_id, reachable)
