"""Where a new server goes: the cluster that has most room for it.

Numbers and weights are Cyclades's (``logic/allocators/default_allocator.py``), without
its rounding of the share of processors.
"""

from collections.abc import Iterable

from attrs import evolve, frozen

from snf.core.server_group import Company

# How many virtual processors may share a real one.  A server is taken to have four,
# as the sizes of those that come are not known.
_CPUS_EACH = 4
_SHARED_BY = 3


@frozen
class Capacity:
    """What the nodes of a cluster have that may have instances, all together.

    :ivar instances: Those whose primary node is one of them.
    """

    nodes: int
    cpus: int
    ram_total_mib: int
    ram_free_mib: int
    disk_total_mib: int
    disk_free_mib: int
    instances: int


@frozen
class Need:
    """What a new server takes; drbd keeps its disk on two nodes."""

    ram_mib: int
    disk_gib: int
    disk_template: str

    @property
    def disk_mib(self) -> int:
        """The disk on all nodes."""
        return self.disk_gib * 1024 * (2 if self.disk_template == "drbd" else 1)


@frozen
class Candidate:
    """A cluster that a server may be on.

    :ivar capacity: As it was last measured; None where it never was.
    :ivar since: How many servers have been put there since, and what they take.
    """

    cluster: int
    capacity: Capacity | None = None
    since: int = 0
    since_ram_mib: int = 0
    since_disk_mib: int = 0
    reachable: bool = True


def choose(
    candidates: Iterable[Candidate], need: Need, company: Company | None = None
) -> int | None:
    """
    Return the cluster that a new server is to be on; None when there is no candidate.

    Those that answer come first, then those that have room, and among these the one
    with the lowest score.  The numbers are pessimistic: where none has room, the best
    of them gets it all the same.

    :param company: Of the server's group, which goes before the score; where members
        must be together, none but the cluster of those there are is a candidate.
    """
    if company is not None and _bound(company):
        candidates = [one for one in candidates if company.members.get(one.cluster)]
    best = min(candidates, key=lambda one: _rank(one, need, company), default=None)
    return None if best is None else best.cluster


def _bound(company: Company) -> bool:
    return any(company.members.values()) and not (
        company.policy.soft or company.policy.apart
    )


_Rank = tuple[bool, bool, int, int, float, int]


def _rank(candidate: Candidate, need: Need, company: Company | None) -> _Rank:
    if candidate.capacity is None:
        fit, score = _UNKNOWN, float(candidate.since)
    else:
        now = _now(candidate, candidate.capacity)
        fit = _FITS if _fits(now, need) else _DOES_NOT
        score = _score(now)
    crowded, friends = _company(candidate, company)
    return (not candidate.reachable, crowded, fit, friends, score, candidate.cluster)


def _company(candidate: Candidate, company: Company | None) -> tuple[bool, int]:
    """Return whether a cluster cannot take one more member, and how it likes one."""
    if company is None:
        return False, 0
    members = company.members.get(candidate.cluster, 0)
    if not company.policy.apart:
        return False, -members
    measured = candidate.capacity
    crowded = (
        not company.policy.soft
        and measured is not None
        and members >= measured.nodes * company.per_node
    )
    return crowded, members


_FITS, _UNKNOWN, _DOES_NOT = range(3)


def _now(candidate: Candidate, measured: Capacity) -> Capacity:
    """Return what is left by the servers that were not there yet when it was measured."""
    return evolve(
        measured,
        instances=measured.instances + candidate.since,
        ram_free_mib=measured.ram_free_mib - candidate.since_ram_mib,
        disk_free_mib=measured.disk_free_mib - candidate.since_disk_mib,
    )


def _fits(now: Capacity, need: Need) -> bool:
    return (
        now.disk_free_mib >= need.disk_mib
        and now.ram_free_mib > need.ram_mib
        and _CPUS_EACH * (now.instances + 1) < _SHARED_BY * now.cpus
    )


def _score(now: Capacity) -> float:
    cpu = _share(_CPUS_EACH * (now.instances + 1), _SHARED_BY * now.cpus)
    ram = 1 - _share(now.ram_free_mib, now.ram_total_mib, 0.0)
    disk = 1 - _share(now.disk_free_mib, now.disk_total_mib, 0.0)
    return 0.5 * cpu + 0.5 * (ram + disk)


def _share(part: int, whole: int, of_nothing: float = 1e9) -> float:
    return part / whole if whole else of_nothing
