"""The settings of snf-noded, and the key in their file."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from snf.core.node_keys import read_shared
from snf.core.signing import Signer
from snf.toml import ConfigError, load, secret

KNOWN: Sequence[str] = ("metadata", "serial")
"""What a node can do for its guests and the API; ``snf.noded.services`` does it."""


@frozen
class Process:
    """``[process]``: who the daemon is once it has what only root may have."""

    user: str = "nobody"

    def check(self) -> None:
        if not self.user:
            raise ValueError("user: must be a user's name or number")


@frozen
class Services:
    """``[services]``: what this node does."""

    run: tuple[str, ...] = tuple(KNOWN)

    def check(self) -> None:
        for name in self.run:
            if name not in KNOWN:
                raise ValueError(f"run: {name!r} is not one of {', '.join(KNOWN)}")
            if self.run.count(name) > 1:
                raise ValueError(f"run: {name!r} is named twice")


@frozen
class Api:
    """``[api]``: where the API is.

    :ivar urls: Of the same API; the next is asked when one does not answer.
    :ivar ca_file: One of its certificates must have signed the API's; None is the
        system's.
    """

    urls: tuple[str, ...]
    ca_file: Path | None = None
    timeout_s: float = 5.0

    def check(self) -> None:
        if not self.urls:
            raise ValueError("urls: name at least one")
        for url in self.urls:
            _web_url(url)
        if not 0.1 <= self.timeout_s <= 60:
            raise ValueError("timeout_s: must be from 0.1 to 60")


@frozen
class Node:
    """``[node]``: how the API and this node know each other.

    :ivar key_file: Holds what ``snf-manage node-key`` prints.
    :ivar listen: Where the API asks this node, as Twisted describes it; nowhere if empty.
    """

    key_file: Path = Path("/etc/cyclades/node-key")
    listen: str = ""


@frozen
class Serial:
    """``[serial]``: the serial lines of guests, and what is kept of what they say.

    :ivar sockets: Ganeti's directory of the hypervisor's sockets.
    :ivar logs: Where what guests say is kept; it is made.
    :ivar log_bytes: How much of each guest's.
    :ivar instances_file: Ganeti's list of all instances: of others nothing is kept.
    :ivar instance_prefix: What the names of our instances begin with.
    """

    sockets: Path = Path("/run/ganeti/kvm-hypervisor/ctrl")
    logs: Path = Path("/var/lib/snf-noded/serial")
    log_bytes: int = 1_048_576
    instances_file: Path = Path("/var/lib/ganeti/ssconf_instance_list")
    instance_prefix: str = "snf"

    def check(self) -> None:
        for key in ("sockets", "logs", "instances_file"):
            if not getattr(self, key).is_absolute():
                raise ValueError(f"{key}: must be an absolute path")
        if not 262_144 <= self.log_bytes <= 4_194_304:
            raise ValueError("log_bytes: must be from 262144 to 4194304")
        if not self.instance_prefix.isalnum() or not self.instance_prefix.isascii():
            raise ValueError("instance_prefix: letters and digits only")


@frozen
class Metadata:
    """``[metadata]``: what guests are told while they run.

    :ivar directory: Where ``snf-network`` says whose a tap is.
    :ivar instance_prefix: Of the instances that are servers of the cloud.
    :ivar cache_s: How long what the API has said is good.
    """

    directory: Path = Path("/run/snf-metadata")
    instance_prefix: str = "snf"
    cache_s: float = 5.0

    def check(self) -> None:
        if not self.instance_prefix.isalnum() or not self.instance_prefix.isascii():
            raise ValueError("instance_prefix: letters and digits only")
        if not 0 <= self.cache_s <= 300:
            raise ValueError("cache_s: must be from 0 to 300")


@frozen
class Noded:
    """``noded.toml``, the file of ``twistd snf-noded``."""

    api: Api
    process: Process = Process()
    services: Services = Services()
    node: Node = Node()
    serial: Serial = Serial()
    metadata: Metadata = Metadata()


@frozen
class Known:
    """The settings, and what is in the file that they name."""

    settings: Noded
    signer: Signer = field(repr=False)


def read(path: Path) -> Known:
    """
    Return what a file says, and the key that it names.

    :raises ConfigError: One of them cannot be used; the text says why.
    """
    settings = load(path, Noded)
    key_file = settings.node.key_file
    try:
        return Known(settings, read_shared(secret(key_file)))
    except ValueError as problem:
        raise ConfigError(f"{key_file}: {problem}") from None


def _web_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
        fine = fine and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or url.endswith("/"):
        raise ValueError(
            f"urls: {url!r} is not an http or https URL without a slash at its end"
        )
