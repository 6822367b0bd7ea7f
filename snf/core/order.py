"""Orders: what is to be done at Ganeti for a server, and how far it has come."""

from collections.abc import Mapping
from enum import Enum
from uuid import UUID

from attrs import evolve, field, frozen


class Kind(Enum):
    """What an order asks of Ganeti."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    DELETE = "delete"
    GROW = "grow"
    MODIFY = "modify"
    FIREWALL = "firewall"
    ATTACH = "attach"
    DETACH = "detach"
    # To another node of its cluster; the words are OpenStack's for the action.
    MIGRATE = "migrate"
    MIGRATE_LIVE = "live-migration"
    EVACUATE = "evacuate"
    # Its disk is made anew; all else stays.
    REBUILD = "rebuild"
    # Its disk becomes an image.
    IMAGE = "image"


# Those that take a server to another node.
MOVES = frozenset({Kind.MIGRATE, Kind.MIGRATE_LIVE, Kind.EVACUATE})


class State(Enum):
    """How far an order has come.

    ``SUBMITTING`` is durable: it is written before Ganeti is asked, so that whoever
    takes over after a crash knows to look for the job before asking again.
    """

    NEW = "new"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """Whether something is still to come of it."""
        return self not in (State.DONE, State.FAILED)


@frozen
class NicRequest:
    """A network interface to make: Ganeti's NIC parameters.

    ``network`` is the one that it is on, whose mode and link are the cluster's
    business; orders of old name mode and link instead.
    """

    name: str
    mac: str
    ip: str | None
    mode: str | None = None
    link: str | None = None
    network: UUID | None = None


@frozen
class Source:
    """An image's data, with which a disk is filled; ``size`` is the file's, in bytes."""

    image: UUID
    sha256: str
    size: int
    format: str


@frozen
class Build:
    """What a CREATE order makes.  Memory in MiB, disk in GiB; 0 GiB is diskless.

    ``tags`` keep it off the nodes that have an instance with one of them.  Without a
    ``source`` the OS definition knows what to install.  ``drive`` is whether there is a
    second disk, on which the guest is told what is for it.
    """

    vcpus: int
    ram_mib: int
    disk_gib: int
    disk_template: str
    os: str
    hypervisor: str | None = None
    hypervisor_parameters: Mapping[str, object] = field(factory=dict)
    os_parameters: Mapping[str, str] = field(factory=dict)
    nics: tuple[NicRequest, ...] = ()
    tags: tuple[str, ...] = ()
    source: Source | None = None
    drive: bool = False

    @property
    def told(self) -> bool:
        """Whether the OS definition is given more than the image's own parameters."""
        return self.drive or self.source is not None


@frozen
class Reinstall:
    """What a REBUILD order makes of a disk.

    ``image`` is the one that the server is of from then on; ``source``, ``drive`` and
    ``os_parameters`` are as for a build.  ``start`` is whether the guest is to run
    afterwards.
    """

    image: UUID
    os: str
    source: Source | None = None
    drive: bool = False
    os_parameters: Mapping[str, str] = field(factory=dict)
    start: bool = True

    @property
    def told(self) -> bool:
        """Whether the OS definition is given more than the image's own parameters."""
        return self.drive or self.source is not None


@frozen
class Snapshot:
    """What an IMAGE order makes; ``uploading`` is whether its data has begun to come."""

    image: UUID
    uploading: bool = False


@frozen
class End:
    """How an order has ended, as Ganeti has told just now; it is not stored.

    ``time`` is in seconds since the epoch on the master's clock.  ``live`` is whether
    the guest, which went on running, has noticed.
    """

    time: float
    live: bool = False


@frozen
class Sizes:
    """How large a server is: processors, memory in MiB, disk in GiB."""

    vcpus: int
    ram_mib: int
    disk_gib: int


@frozen
class Order:
    """One thing to do at Ganeti.

    ``build`` belongs to CREATE; ``hard`` to REBOOT (a power cycle instead of a
    polite restart).  ``node`` belongs to those of :data:`MOVES`: where to (None is for
    Ganeti to choose).  ``sizes`` are what GROW makes the disk, and what MODIFY makes
    processors and memory.  ``force`` has MODIFY do so though the node has too little,
    and a move go where Ganeti's policy for instances is against it.  ``nic`` is what
    ATTACH adds, and what DETACH removes.  ``reinstall`` belongs to REBUILD, ``snapshot``
    to IMAGE: that one is done when its image is there, long after its job.  ``follows``
    is the order that this one came of, without a request of its own.  ``end`` is None also where it is not known what
    came of an order that is over.  ``job`` is Ganeti's job once it is known.
    """

    id: UUID
    server: int
    kind: Kind
    state: State = State.NEW
    job: int | None = None
    build: Build | None = None
    hard: bool = False
    node: str | None = None
    force: bool = False
    error: str | None = None
    attempts: int = 0
    sizes: Sizes | None = None
    follows: UUID | None = None
    nic: NicRequest | None = None
    reinstall: Reinstall | None = None
    snapshot: Snapshot | None = None
    end: End | None = field(default=None, eq=False)

    @property
    def untried(self) -> bool:
        """Whether Ganeti has certainly not heard of it."""
        return self.state is State.NEW and self.attempts == 0

    def submitted(self, job: int) -> "Order":
        """Return it as carried by a job; one that has ended stays as it is."""
        if not self.state.open:
            return self
        return evolve(self, state=State.SUBMITTED, job=job)

    def ended(
        self, error: str | None, job: int | None = None, end: End | None = None
    ) -> "Order":
        """Return it as ended: failed when there is an error, else done."""
        if not self.state.open:
            return self
        return evolve(
            self,
            state=State.FAILED if error else State.DONE,
            error=error,
            job=job if self.job is None else self.job,
            end=end,
        )
