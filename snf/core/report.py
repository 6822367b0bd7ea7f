"""What Ganeti says has happened, whichever way the news came.

eventd's messages, the hook's, and the answers of the remote API are all turned into
these before anything is decided.  Times are seconds since the epoch on the Ganeti
master's clock.
"""

from collections.abc import Sequence
from enum import Enum
from uuid import UUID

from attrs import frozen


class JobStatus(Enum):
    """A status of a job or of one of its ops (Ganeti lib/constants.py, JOBS_*)."""

    QUEUED = "queued"
    WAITING = "waiting"
    CANCELING = "canceling"
    RUNNING = "running"
    CANCELED = "canceled"
    SUCCESS = "success"
    ERROR = "error"

    @property
    def final(self) -> bool:
        """Whether nothing more will follow."""
        return self in _FINAL


_FINAL = frozenset({JobStatus.CANCELED, JobStatus.SUCCESS, JobStatus.ERROR})


@frozen
class JobReport:
    """The state of one op of a job that concerns one server.

    ``order`` is the order that asked for the job, where the reason trail names one.
    ``ends_job`` is whether the whole job has ended, and with this op: the last one, or
    the one that has failed.
    ``error`` is the text of a failed op; ``error_code`` is Ganeti's own word for it
    (``already_exists``, ``unknown_entity`` ...; lib/errors.py, ECODE_*).
    ``hotplugged`` is whether what the op changed has reached the running guest.
    """

    server: int
    job: int
    opcode: str
    status: JobStatus
    time: float
    ends_job: bool
    order: UUID | None = None
    error: str | None = None
    error_code: str | None = None
    hotplugged: bool = False


def decisive(statuses: Sequence[str]) -> int:
    """Return which of a job's ops is the one that ends it: the first that failed, or
    the last."""
    failed = (at for at, one in enumerate(statuses) if one in ("error", "canceled"))
    return next(failed, len(statuses) - 1)


def hotplugged(result: object) -> bool:
    """
    Return whether a change of an instance has reached its running guest.

    :param result: Of the op: pairs of what was changed, and how.  Ganeti goes on when
        it cannot hotplug, and says ``hotplug:failed``; where it has not even tried it
        says nothing (lib/cmdlib/instance_set_params.py, _HotplugDevice).
    """
    if not isinstance(result, list):
        return False
    said = [
        how
        for pair in result
        if isinstance(pair, list | tuple)
        for how in pair
        if isinstance(how, str) and how.startswith("hotplug:")
    ]
    return bool(said) and all(how == "hotplug:done" for how in said)


@frozen
class Nic:
    """One network interface as Ganeti has it."""

    mac: str
    name: str | None = None
    ip: str | None = None
    link: str | None = None
    network: str | None = None


@frozen
class NicReport:
    """All network interfaces of a server, in their order."""

    server: int
    nics: tuple[Nic, ...]
    time: float | None = None


@frozen
class ProgressReport:
    """How much of a server's disk has been filled, in percent, 0 to 100."""

    server: int
    percent: int
    time: float | None = None


class Level(Enum):
    """How bad it is what is told of a build."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@frozen
class DiagnosticReport:
    """
    What the making of a server's disk tells; ``details`` is JSON.

    :ivar time: By the clock of the node.
    """

    server: int
    level: Level
    source: str
    message: str
    details: str
    time: float | None = None


Report = JobReport | NicReport | ProgressReport | DiagnosticReport


@frozen
class Sighting:
    """What a listing of a cluster's instances said of one server.

    ``running`` is None where the node does not answer.
    """

    server: int
    time: float
    present: bool
    running: bool | None = None
