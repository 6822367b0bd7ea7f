"""What a guest is told while it runs: all that is no secret, as it is at the moment."""

from uuid import UUID

import orjson
from attrs import field, frozen

from snf.core.guest import Guest, plain

# Of a password that a guest has encrypted for its owner: Nova's
# (nova/api/metadata/password.py, MAX_SIZE), for RSA keys of up to 8160 bits.
PASSWORD_AT_MOST = 1020


@frozen
class Served:
    """
    A guest, and what only the metadata service tells.

    :ivar password: As the guest has encrypted it; "" if it has not.
    :ivar image: The id of its image; None where that is not known any more.
    :ivar flavor: Its name.
    :ivar groups: The names of its security groups.
    :ivar floating: Its floating IPs.
    """

    guest: Guest
    password: str = field(repr=False)
    image: UUID | None
    flavor: str
    launch_index: int
    reservation: str
    groups: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()


def written(served: Served) -> bytes:
    """Return the JSON of it."""
    return orjson.dumps(
        {
            **plain(served.guest),
            "password": served.password,
            "image_id": None if served.image is None else str(served.image),
            "flavor": served.flavor,
            "launch_index": served.launch_index,
            "reservation_id": served.reservation,
            "security_groups": list(served.groups),
            "floating_ips": list(served.floating),
        }
    )
