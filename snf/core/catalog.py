"""What servers are made of: flavors, images, clusters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from attrs import field, frozen


@frozen
class Flavor:
    """A size of server: memory in MiB, disk in GiB."""

    id: UUID
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    disk_template: str
    public: bool = True
    deleted: bool = False
    description: str | None = None


@frozen
class Image:
    """What a server's disk is made from.

    ``os`` is Ganeti's OS definition and variant; ``hypervisor`` is None for the
    cluster's default.

    :ivar project: Whose it is; None for the operator's.
    :ivar sha256: Of its data, by which the file is found; None when there is none: the
        OS definition knows by itself what to install, or nothing has been uploaded yet.
    :ivar virtual_size_bytes: Of the disk in it; None when that is not known.
    :ivar checksum: The MD5 of its data.
    :ivar hash_value: Another hash of its data, by ``hash_algo``.
    :ivar protected: Whether it cannot be deleted.
    :ivar hidden: Whether lists leave it out.
    """

    id: UUID
    name: str
    os: str
    created: datetime
    updated: datetime
    project: UUID | None = None
    status: str = "active"
    visibility: str = "public"
    disk_format: str | None = "raw"
    container_format: str | None = "bare"
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    size_bytes: int = 0
    properties: Mapping[str, str] = field(factory=dict)
    os_parameters: Mapping[str, str] = field(factory=dict)
    hypervisor: str | None = None
    sha256: str | None = None
    hash_algo: str | None = None
    hash_value: str | None = None
    checksum: str | None = None
    virtual_size_bytes: int | None = None
    protected: bool = False
    hidden: bool = False
    tags: Sequence[str] = ()


@frozen
class Cluster:
    """A Ganeti cluster and how its remote API is reached.

    :ivar last_job: The highest job id seen on it.
    """

    id: int
    name: str
    url: str
    username: str
    password_file: str
    tls: str = "verify"
    ca_file: str | None = None
    disk_templates: tuple[str, ...] = ()
    mac_prefix: str = "aa:00:00"
    drained: bool = False
    offline: bool = False
    last_job: int = 0
    unreachable_since: datetime | None = None
