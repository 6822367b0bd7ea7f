"""What a node can do, by the names of ``[services] run``."""

from collections.abc import Mapping

from snf import privileges
from snf.noded import metadata, serial
from snf.noded.parts import Kind

KINDS: Mapping[str, Kind] = {
    # All that root has to do for it is done before it is root no more.
    "metadata": Kind(metadata.make),
    # The sockets are root's, and what stands in their place is to be.
    "serial": Kind(serial.make, (privileges.CHOWN, privileges.DAC_OVERRIDE)),
}
