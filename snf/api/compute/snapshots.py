"""Making images of servers' disks: ``createImage`` and ``createBackup``."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec

from snf.api import given
from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute import versions
from snf.api.compute.actions import remember
from snf.api.compute.bodies import Key, Name, Value
from snf.api.compute.owned import owner
from snf.api.image.bodies import check_counts
from snf.api.json import Answer
from snf.core.catalog import Image
from snf.core.errors import BadRequest, NotFound, NotOffered
from snf.core.image import OS, PROPERTIES_AT_MOST, check_name, is_base
from snf.core.order import Kind, Order, Snapshot
from snf.core.quota import Amounts
from snf.core.server import Action, Life, permit, with_order
from snf.storage import flavors, images, lives, orders, servers, snapshots
from snf.storage.database import Transaction
from snf.storage.servers import Server
from snf.storage.uploads import Upload

NAMES = frozenset({Action.CREATE_IMAGE.value, Action.CREATE_BACKUP.value})

_Metadata = Annotated[dict[Key, Value], msgspec.Meta(max_length=PROPERTIES_AT_MOST)]


class CreateImage(msgspec.Struct, forbid_unknown_fields=True):
    """``createImage``."""

    name: Name
    metadata: _Metadata = {}


class CreateBackup(msgspec.Struct, forbid_unknown_fields=True):
    """``createBackup``: ``rotation`` is how many of one type are kept."""

    name: Name
    backup_type: Value
    rotation: Annotated[int, msgspec.Meta(ge=0, le=10_000)]
    metadata: _Metadata = {}


class ImageBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the one action."""

    createImage: CreateImage


class BackupBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the other."""

    createBackup: CreateBackup


def change(
    txn: Transaction,
    call: Call,
    uuid: UUID,
    body: dict[str, Any],
    limits: Amounts,
    offered: bool,
) -> Answer:
    """
    Order an image of a server's disk.

    :param limits: What a project may have for which an operator has set nothing.
    :param offered: Whether nodes can be told to make one.
    :raises BadRequest: The body has more than it may, or the server has no disk.
    :raises Conflict: The server's state forbids it.
    :raises NotOffered: The operator has set no key.
    :raises NotFound: There is no such server.
    :raises QuotaExceeded: The project's images have as many bytes as they may.
    """
    action, wanted, more = _wanted(body)
    server = servers.get(txn, owner(call), uuid)
    before = lives.load(txn, [server.id])
    if server.id not in before:
        raise NotFound(servers.missing(uuid))  # just now, by Ganeti's word
    life = before[server.id]
    permit(action, life.status, life.task, uuid)
    if not offered:
        raise NotOffered("Images are not made here: [nodes] key_file is not set")
    if more.get("rotation") == "0":
        kind = more["backup_type"]
        snapshots.rotate(txn, server.project, uuid, kind, 0, call.now)
        note(txn, call, f"server {action.value}", uuid)
        return Answer(code=202)
    image = _image(txn, call, server, life, wanted, more)
    order = Order(
        id=uuid4(), server=server.id, kind=Kind.IMAGE, snapshot=Snapshot(image.id)
    )
    upload = Upload(
        uuid4(),
        image.id,
        "snapshot",
        call.now,
        call.now,
        user=call.grant.user.id,
        request_id=call.request_id,
    )
    snapshots.add(txn, image, upload, limits)
    orders.add(txn, order, server.cluster, call.request_id)
    remember(txn, call, server.id, action.value, order.id)
    lives.save(txn, before, {server.id: with_order(life, order)})
    note(txn, call, f"server {action.value}", uuid)
    place = {"Location": f"{call.base}/images/{image.id}"}
    if call.since(versions.IMAGE_ID):
        return Answer({"image_id": str(image.id)}, code=202, headers=place)
    return Answer(code=202, headers=place)


def _wanted(
    body: dict[str, Any],
) -> tuple[Action, CreateImage | CreateBackup, dict[str, str]]:
    """Return what is asked for, and the properties that say so."""
    if Action.CREATE_IMAGE.value in body:
        image: CreateImage = given.converted(body, ImageBody).createImage
        return Action.CREATE_IMAGE, image, {"image_type": "snapshot"}
    backup: CreateBackup = given.converted(body, BackupBody).createBackup
    return (
        Action.CREATE_BACKUP,
        backup,
        {
            "image_type": "backup",
            "backup_type": backup.backup_type,
            "rotation": str(backup.rotation),
        },
    )


def _image(
    txn: Transaction,
    call: Call,
    server: Server,
    life: Life,
    wanted: CreateImage | CreateBackup,
    more: Mapping[str, str],
) -> Image:
    # As it is now that the server is locked.
    flavor = flavors.get(txn, life.flavor or server.flavor.id, None)
    disk_gib = max(flavor.disk_gib, life.disk_gib or 0)
    if not disk_gib:
        raise BadRequest("The server has no disk of which an image could be made.")
    source = images.known(txn, server.image)
    properties = {
        **_kept(source),
        **wanted.metadata,
        "instance_uuid": str(server.uuid),
        "user_id": str(call.grant.user.id),
        "base_image_ref": "" if source is None else str(source.id),
        **more,
    }
    for name in wanted.metadata:
        check_name(name)
        if is_base(name):
            raise BadRequest(f"metadata: {name}: is no property of an image's own")
    image = Image(
        id=uuid4(),
        name=wanted.name.strip(),
        os=OS,
        created=call.now,
        updated=call.now,
        # Whoever asks: it is of the server's project, as its disk is.
        project=server.project,
        status="saving",
        visibility="private",
        disk_format="qcow2",
        container_format="bare",
        min_disk_gib=disk_gib,
        min_ram_mib=0 if source is None else source.min_ram_mib,
        properties=properties,
        hypervisor=None if source is None else source.hypervisor,
    )
    check_counts(image)
    return image


# Of an image that is a server's already: not of what is made of the next one.
_OWN = frozenset({"backup_type", "rotation"})


def _kept(source: Image | None) -> dict[str, str]:
    if source is None:
        return {}
    return {name: one for name, one in source.properties.items() if name not in _OWN}
