"""Floating IPs: public addresses of a project that stand for addresses of its ports."""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress

PREFIX = "snf:fip:"


class Status(Enum):
    """What OpenStack calls how a floating IP is."""

    ACTIVE = "ACTIVE"
    DOWN = "DOWN"


@frozen
class FloatingIP:
    """An address that a project has, and what it stands for.

    ``fixed`` is the address of ``port`` that it stands for; both or none are None.
    ``server`` is the uuid of the server that has the port.  ``held`` is whether some
    node may answer for it, though it may stand for nothing any more.
    """

    id: UUID
    project: UUID
    network: UUID
    address: IPAddress
    created: datetime
    updated: datetime
    port: UUID | None = None
    fixed: IPAddress | None = None
    server: UUID | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    revision: int = 0

    @property
    def status(self) -> Status:
        """Whether it stands for something."""
        return Status.DOWN if self.port is None else Status.ACTIVE


@frozen
class Use:
    """What a node is to do for one: packets to it go to ``fixed`` of the port."""

    port: UUID
    floating: IPAddress
    fixed: IPAddress


def tags(uses: Iterable[Use]) -> frozenset[str]:
    """Return the tags of the instance that has the ports (``ganeti/network``)."""
    return frozenset(f"{PREFIX}{use.port}:{use.floating}@{use.fixed}" for use in uses)
