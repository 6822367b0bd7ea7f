"""A resize: from one flavor to another, and back if it fails or is not wanted.

What is to be done at Ganeti are orders, each of which waits for the one before it to
end: the disk grows where the new flavor's is larger, processors and memory change,
and a guest that ran is restarted, since only then does it have them.
"""

from enum import Enum
from uuid import UUID

from attrs import frozen

from snf.core.order import Sizes
from snf.core.quota import Amounts, Resource


class Phase(Enum):
    """How far a resize has come.

    ``DONE`` waits for its owner's word.  ``RETURNING`` is that it is not wanted;
    ``FAILED``, that what had been done of it is being undone.
    """

    GOING = "going"
    DONE = "done"
    RETURNING = "returning"
    FAILED = "failed"


@frozen
class Resize:
    """A resize that is not over.

    ``old`` and ``new`` are what the server had and gets; ``old_flavor`` and
    ``new_flavor`` name them.  ``ran`` is whether the guest is to run when it is over.
    ``order`` is the one whose end the phase waits for.  ``since`` is when it was
    DONE, in seconds since the epoch.
    """

    server: int
    phase: Phase
    old_flavor: UUID
    new_flavor: UUID
    old: Sizes
    new: Sizes
    ran: bool
    order: UUID
    since: float = 0.0

    def freed(self, flavor: UUID | None, disk_gib: int | None) -> Amounts:
        """
        Return what its end frees: meanwhile the larger of both flavors counts.

        :param flavor: The one that the server has after it.
        :param disk_gib: What its disk has grown to, if it has.
        """
        kept = self.new if flavor == self.new_flavor else self.old
        disk = max(kept.disk_gib, disk_gib or 0)
        return {
            Resource.CORES: max(self.old.vcpus, self.new.vcpus) - kept.vcpus,
            Resource.RAM_MIB: max(self.old.ram_mib, self.new.ram_mib) - kept.ram_mib,
            Resource.DISK_GIB: max(self.old.disk_gib, self.new.disk_gib, disk) - disk,
        }
