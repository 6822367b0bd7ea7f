"""What a node can do, by the names of ``[services] run``."""

from collections.abc import Mapping

from snf.noded import metadata
from snf.noded.parts import Kind

KINDS: Mapping[str, Kind] = {
    # All that root has to do for it is done before it is root no more.
    "metadata": Kind(metadata.make),
}
