"""Ports: a server's places on networks, with their addresses."""

from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress


@frozen
class FixedIP:
    """An address of a port and the subnet that it is from."""

    subnet: UUID
    address: IPAddress


@frozen
class Port:
    """A place on a network; ``server`` is the uuid of the server that has it."""

    id: UUID
    network: UUID
    project: UUID
    mac: str
    created: datetime
    updated: datetime
    server: UUID | None = None
    name: str = ""
    state: str = "BUILD"
    addresses: tuple[FixedIP, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()
    revision: int = 0
