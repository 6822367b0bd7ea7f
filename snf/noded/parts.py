"""What the services of a node are made of."""

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen
from twisted.application.service import IService

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
