"""Whether this node is the master of its cluster, by Ganeti's own files."""

from pathlib import Path

from attrs import define, field
from twisted.logger import Logger


@define(eq=False)
class _File:
    path: Path
    text: str = ""
    _version: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Read it again if it was replaced."""
        try:
            stat = self.path.stat()
            version = (stat.st_ino, stat.st_mtime_ns)
            if version != self._version:
                self.text = self.path.read_text("utf-8").strip()
                self._version = version
        except (OSError, UnicodeDecodeError):
            # No cluster yet, or no more: then nobody is its master.
            self.text, self._version = "", None


@define(eq=False)
class Master:
    """
    What the ``ssconf`` files say: small files that Ganeti keeps on every node.

    :ivar node_name: This node, as Ganeti names it.
    """

    _log = Logger()

    directory: Path
    node_name: str
    here: bool = field(init=False, default=False)
    _master: _File = field(init=False)
    _cluster: _File = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._master = _File(self.directory / "ssconf_master_node")
        self._cluster = _File(self.directory / "ssconf_cluster_name")

    @property
    def cluster(self) -> str:
        """The name of the cluster, as of the last ``refresh``."""
        return self._cluster.text

    def refresh(self) -> bool:
        """Return whether this node is the master now; two calls of stat, no more."""
        self._master.refresh()
        self._cluster.refresh()
        here = self._master.text == self.node_name != ""
        if here != self.here:
            self.here = here
            self._log.info(
                "this node, {node}, is {what} of {cluster}",
                node=self.node_name,
                what="the master" if here else "not the master",
                cluster=self.cluster or "any cluster",
            )
        return here
