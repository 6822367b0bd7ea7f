"""Server groups: servers that are to be kept apart from each other, or together."""

from collections.abc import Iterable, Mapping
from enum import Enum
from uuid import UUID

from attrs import field, frozen


class Policy(Enum):
    """How the members of a group are placed; the value is OpenStack's word."""

    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti-affinity"
    SOFT_AFFINITY = "soft-affinity"
    SOFT_ANTI_AFFINITY = "soft-anti-affinity"

    @property
    def soft(self) -> bool:
        """Whether a server is built also where the policy cannot be kept."""
        return self in (Policy.SOFT_AFFINITY, Policy.SOFT_ANTI_AFFINITY)

    @property
    def apart(self) -> bool:
        """Whether members are kept apart; otherwise they are kept together."""
        return self in (Policy.ANTI_AFFINITY, Policy.SOFT_ANTI_AFFINITY)


@frozen
class ServerGroup:
    """
    A group of a project's servers.

    :ivar per_node: How many members one machine may have, where members are kept
        apart; None where nobody has said so, which is one.
    :ivar members: The servers in it that have not been deleted, by age.
    """

    id: UUID
    project: UUID
    user: UUID
    name: str
    policy: Policy
    per_node: int | None = None
    members: tuple[UUID, ...] = ()


@frozen
class Company:
    """
    What a new server has to heed of the group that it is to be in.

    :ivar members: How many members are on which cluster, by the clusters' ids.
    """

    policy: Policy
    members: Mapping[int, int] = field(factory=dict)
    per_node: int = 1


def next_slot(taken: Iterable[int], per_node: int) -> int:
    """
    Return the slot of a new member, of as many as a machine may have members.

    Ganeti keeps those of one slot on different machines, so that no machine gets more
    members than there are slots.

    :param taken: The slots of the members there are; the new one gets the rarest.
    """
    # A group may have far fewer members than slots.
    counts: dict[int, int] = {}
    for slot in taken:
        counts[slot] = counts.get(slot, 0) + 1
    last = min(per_node, len(counts) + 1)
    return min(range(last), key=lambda slot: (counts.get(slot, 0), slot))
