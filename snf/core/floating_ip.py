"""Floating IPs: public addresses of a project that stand for addresses of its ports."""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress

_PREFIX = "snf:fip:"


class Status(Enum):
    """What OpenStack calls how a floating IP is."""

    ACTIVE = "ACTIVE"
    DOWN = "DOWN"


@frozen
class FloatingIP:
    """An address that a project has, and what it stands for.

    ``fixed`` is the address of ``port`` that it stands for; both or none are None.
    ``server`` is the uuid of the server that has the port.
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
    return frozenset(f"{_PREFIX}{use.port}:{use.floating}@{use.fixed}" for use in uses)


def ours(found: Collection[str]) -> frozenset[str]:
    """Return those of an instance's tags that are about floating IPs."""
    return frozenset(tag for tag in found if tag.startswith(_PREFIX))
