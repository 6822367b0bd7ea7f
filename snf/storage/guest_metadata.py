"""What guests are told while they run, and what they have told."""

from snf.core.errors import Conflict, NotFound
from snf.core.guest_metadata import Served
from snf.core.sealing import Seal
from snf.storage import guests
from snf.storage.database import Transaction
from snf.storage.rows import one

_SERVED = (
    "SELECT g.password, s.image_id, f.name, s.launch_index, s.reservation,"
    " ARRAY(SELECT DISTINCT sg.name FROM port p JOIN port_group pg ON pg.port_id = p.id"
    "  JOIN security_group sg ON sg.id = pg.group_id WHERE p.server_id = s.id"
    "  ORDER BY sg.name),"
    " ARRAY(SELECT host(a.address) FROM port p"
    "  JOIN floating_ip fip ON fip.port_id = p.id AND fip.deleted IS NULL"
    "  JOIN address a ON a.floating_ip_id = fip.id WHERE p.server_id = s.id"
    "  ORDER BY a.address)"
    " FROM server s JOIN flavor f ON f.id = s.flavor_id"
    " LEFT JOIN guest g ON g.server_id = s.id"
    " WHERE s.id = %s AND s.deleted IS NULL"
)


def served(txn: Transaction, seal: Seal, server: int) -> Served:
    """
    Return what a guest is told now.

    :raises NotFound: There is no such server.
    :raises Unreadable: Its user data were sealed with another key.
    """
    row = one(txn, _SERVED, (server,))
    if row is None:
        raise NotFound(f"There is no server {server}")
    password, image, flavor, index, reservation, groups, floating = row
    return Served(
        guest=guests.known(txn, seal, server),
        password=password or "",
        image=image,
        flavor=flavor,
        launch_index=index,
        reservation=reservation or "",
        groups=tuple(groups),
        floating=tuple(floating),
    )


def set_password(txn: Transaction, server: int, password: str) -> None:
    """
    Keep a password that a guest has made up, encrypted for its owner.

    :raises NotFound: There is no such server.
    :raises Conflict: It has told one already.
    """
    row = one(txn, "SELECT 1 FROM server WHERE id = %s AND deleted IS NULL", (server,))
    if row is None:
        raise NotFound(f"There is no server {server}")
    row = one(
        txn,
        "INSERT INTO guest (server_id, password) VALUES (%s, %s)"
        " ON CONFLICT (server_id) DO UPDATE SET password = EXCLUDED.password"
        " WHERE guest.password = '' RETURNING server_id",
        (server, password),
    )
    if row is None:
        raise Conflict("The guest has told a password already")
