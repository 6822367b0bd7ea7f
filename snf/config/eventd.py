"""The settings of ``twistd snf-eventd``."""

from pathlib import Path

from attrs import frozen

from snf.config.ganeti import Ganeti
from snf.config.services import Broker


@frozen
class Queue:
    """``[queue]``: Ganeti's job queue on this master."""

    directory: Path = Path("/var/lib/ganeti/queue")
    mark_file: Path = Path("/var/lib/snf-eventd/mark")


@frozen
class Spool:
    """``[spool]``: where the hook leaves its messages."""

    directory: Path = Path("/var/spool/snf-eventd")


@frozen
class Master:
    """``[master]``: how to tell whether this node is the master now."""

    ssconf_directory: Path = Path("/var/lib/ganeti")
    node_name: str = ""


@frozen
class Eventd:
    """``eventd.toml``, the file of ``twistd snf-eventd``."""

    broker: Broker
    queue: Queue = Queue()
    spool: Spool = Spool()
    master: Master = Master()
    ganeti: Ganeti = Ganeti()
