"""What a project may have at most, and how a request that goes beyond it is refused."""

from collections.abc import Mapping
from enum import Enum

from snf.core.errors import QuotaExceeded

UNLIMITED = -1


class Resource(Enum):
    """What is counted.  The value is its name in the database and in ``[quota]``."""

    INSTANCES = "instances"
    CORES = "cores"
    RAM_MIB = "ram_mib"
    DISK_GIB = "disk_gib"
    PORTS = "ports"
    FIXED_IPS = "fixed_ips"
    FLOATING_IPS = "floating_ips"
    SECURITY_GROUPS = "security_groups"
    SECURITY_GROUP_RULES = "security_group_rules"
    NETWORKS = "networks"
    SUBNETS = "subnets"
    SERVER_GROUPS = "server_groups"
    # Of each server group by itself: a project has no number of them.
    SERVER_GROUP_MEMBERS = "server_group_members"
    # Of the data of images, also while it comes.
    IMAGE_BYTES = "image_bytes"

    @property
    def word(self) -> str:
        """What users call it."""
        return self.value.removesuffix("_mib").removesuffix("_gib")


Amounts = Mapping[Resource, int]

NO_LIMITS: Amounts = dict.fromkeys(Resource, UNLIMITED)


def check(wanted: Amounts, used: Amounts, limits: Amounts) -> None:
    """
    Return if what is wanted fits into the limits.

    :param used: What is used without it; what is absent is not used at all.
    :raises QuotaExceeded: Something does not, in Nova's words
        (nova/exception.py, TooManyInstances).
    """
    over = [
        resource
        for resource, amount in wanted.items()
        if limits[resource] != UNLIMITED
        and amount > 0
        and used.get(resource, 0) + amount > limits[resource]
    ]
    if not over:
        return

    def told(amounts: Amounts) -> str:
        return ", ".join(str(amounts.get(resource, 0)) for resource in over)

    words = ", ".join(resource.word for resource in over)
    raise QuotaExceeded(
        f"Quota exceeded for {words}: Requested {told(wanted)}, but already used "
        f"{told(used)} of {told(limits)} {words}"
    )
