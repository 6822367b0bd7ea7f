"""What a node can do, by the names of ``[services] run``."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import frozen
from twisted.application.service import IService

from snf import privileges
from snf.core.signing import Signer
from snf.noded.api import Api
from snf.noded.config import Noded
from snf.noded.door import Door


@frozen
class Parts:
    """What every service is given.

    :ivar door: Where it may offer the API something, below its own name.
    """

    reactor: Any
    settings: Noded
    signer: Signer
    api: Api
    door: Door


@frozen
class Kind:
    """One service.

    :ivar make: Makes it; nothing is opened yet.
    :ivar capabilities: Of root's, those that it keeps (``snf.privileges``).
    """

    make: Callable[[Parts], IService]
    capabilities: Collection[int] = ()


def _serial(parts: Parts) -> IService:
    from snf.noded.serial import make

    return make(parts)


KINDS: Mapping[str, Kind] = {
    # The sockets are root's, and what stands in their place is to be.
    "serial": Kind(_serial, (privileges.CHOWN, privileges.DAC_OVERRIDE)),
}
