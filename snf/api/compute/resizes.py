"""Resizing servers: ``resize``, ``confirmResize`` and ``revertResize``."""

from typing import Any
from uuid import UUID, uuid4

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute.actions import remember
from snf.api.compute.build import check_fit, last_part, usable
from snf.api.compute.owned import owner
from snf.api.json import Answer
from snf.core import steps
from snf.core.catalog import Flavor
from snf.core.errors import BadRequest, NotFound
from snf.core.order import Sizes
from snf.core.quota import Amounts, Resource
from snf.core.resize import Phase, Resize
from snf.core.server import Action, Life, Observed, permit
from snf.storage import flavors, images, lives, orders, quotas, servers
from snf.storage.database import Transaction
from snf.storage.servers import Server

NAMES = frozenset(
    one.value for one in (Action.RESIZE, Action.CONFIRM_RESIZE, Action.REVERT_RESIZE)
)

_ARGUMENTS = frozenset({"flavorRef", "OS-DCF:diskConfig"})


def change(
    txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any], limits: Amounts
) -> Answer:
    """
    Resize a server, or end its resize either way, as a body names it.

    :param limits: What a project may have for which an operator has set nothing.
    :raises BadRequest: The body has more than it may, or the flavor cannot be had.
    :raises Conflict: The server's state forbids it.
    :raises QuotaExceeded: The project would have more than it may.
    :raises NotFound: There is no such server.
    """
    [(name, argument)] = body.items()
    action = Action(name)
    reference = (
        _reference(argument) if action is Action.RESIZE else _none(name, argument)
    )
    server = servers.get(txn, owner(call), uuid)
    before = lives.load(txn, [server.id])
    if server.id not in before:
        raise NotFound(servers.missing(uuid))  # just now, by Ganeti's word
    life = before[server.id]
    permit(action, life.status, life.task, uuid)
    if action is Action.RESIZE:
        resize = _planned(txn, call, server, life, reference)
        _take(txn, server, resize, limits)
        after = steps.begin(life, resize)
    elif action is Action.REVERT_RESIZE:
        after = steps.revert(life, uuid4())
    else:
        after = steps.confirm(life)
    ordered = [order for order in after.orders if order not in life.orders]
    for order in ordered:
        orders.add(txn, order, server.cluster, call.request_id)
    remember(txn, call, server.id, name, ordered[0].id if ordered else None)
    lives.save(txn, before, {server.id: after})
    note(txn, call, f"server {name}", uuid)
    return Answer(code=204 if action is Action.CONFIRM_RESIZE else 202)


def _reference(argument: Any) -> str:
    """Return the flavor that is wanted, as the client names it."""
    if not isinstance(argument, dict):
        raise BadRequest("resize: must be an object with flavorRef")
    unknown = sorted(argument.keys() - _ARGUMENTS)
    if unknown:
        raise BadRequest(f"resize.{unknown[0]}: is not known")
    if argument.get("OS-DCF:diskConfig", "AUTO") not in ("AUTO", "MANUAL"):
        raise BadRequest("resize.OS-DCF:diskConfig: must be AUTO or MANUAL")
    reference = argument.get("flavorRef")
    if isinstance(reference, bool) or not isinstance(reference, str | int):
        raise BadRequest("resize.flavorRef: must be the id of a flavor")
    return str(reference)


def _none(name: str, argument: Any) -> str:
    if argument not in (None, {}, ""):
        raise BadRequest(f"{name}: takes no arguments")
    return ""


def _planned(
    txn: Transaction, call: Call, server: Server, life: Life, reference: str
) -> Resize:
    """
    Return the resize to a flavor.

    :raises BadRequest: The server cannot have it, in Nova's words where it has some
        (nova/compute/api.py, resize).
    """
    new = _flavor(txn, call, reference)
    # As it is now that the server is locked.
    old = flavors.get(txn, life.flavor or server.flavor.id, None)
    if new.id == old.id:
        raise BadRequest("When resizing, instances must change flavor!")
    disk_gib = max(old.disk_gib, life.disk_gib or 0)
    _check_disk(old, new, disk_gib)
    try:
        image = images.get(txn, server.project, server.image)
    except NotFound:
        raise BadRequest(
            "Image that the instance was started with could not be found."
        ) from None
    check_fit(new, image)
    return Resize(
        server=server.id,
        phase=Phase.GOING,
        old_flavor=old.id,
        new_flavor=new.id,
        old=Sizes(old.vcpus, old.ram_mib, disk_gib),
        new=Sizes(new.vcpus, new.ram_mib, new.disk_gib),
        ran=life.observed is Observed.UP,
        order=uuid4(),
    )


def _flavor(txn: Transaction, call: Call, reference: str) -> Flavor:
    missing = f"resize.flavorRef: Flavor {reference} could not be found."
    try:
        flavor = usable(txn, call, identifier(last_part(reference), missing))
    except NotFound:
        raise BadRequest(missing) from None
    if flavor.deleted:
        raise BadRequest(missing)
    return flavor


def _check_disk(old: Flavor, new: Flavor, disk_gib: int) -> None:
    if new.disk_gib == 0 and disk_gib:
        reason = "Resize to zero disk flavor is not allowed."
    elif new.disk_template != old.disk_template:
        reason = f"It is {old.disk_template}, and of the flavor {new.disk_template}."
    elif new.disk_gib < disk_gib:
        reason = (
            f"It has {disk_gib} GiB, of the flavor {new.disk_gib}: none can shrink."
        )
    elif new.disk_gib and not disk_gib:
        reason = "The server has none."
    else:
        return
    raise BadRequest(f"Server disk was unable to be resized because: {reason}")


def _take(txn: Transaction, server: Server, resize: Resize, limits: Amounts) -> None:
    """Count what the new flavor has more; what it has less is freed at the end."""
    old, new = resize.old, resize.new
    more = {
        Resource.CORES: new.vcpus - old.vcpus,
        Resource.RAM_MIB: new.ram_mib - old.ram_mib,
        Resource.DISK_GIB: new.disk_gib - old.disk_gib,
    }
    wanted = {resource: amount for resource, amount in more.items() if amount > 0}
    if wanted:
        quotas.take(txn, server.project, wanted, limits)
