"""Making a server's disk anew, ``rebuild``: its name, place and addresses stay."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from attrs import evolve

from snf.api import given
from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import guests, versions
from snf.api.compute.actions import remember
from snf.api.compute.bodies import (
    Description,
    Hostname,
    Key,
    Name,
    Value,
    check_hostname,
)
from snf.api.compute.build import Builder, check_fit, last_part
from snf.api.compute.guests import AdminPass, KeyName, Personality, UserData
from snf.api.compute.owned import owner
from snf.api.json import Answer
from snf.core.catalog import Image
from snf.core.errors import BadRequest, NotFound
from snf.core.order import Kind, Order, Reinstall
from snf.core.server import Action, Life, Observed, permit, with_order
from snf.storage import flavors, images, lives, metadata, orders, servers
from snf.storage import guests as kept
from snf.storage.database import Transaction
from snf.storage.metadata import AT_MOST
from snf.storage.servers import Server

NAMES = frozenset({Action.REBUILD.value})

_Unset = msgspec.UnsetType
_Metadata = Annotated[dict[Key, Value], msgspec.Meta(max_length=AT_MOST)] | _Unset


class Rebuild(msgspec.Struct, forbid_unknown_fields=True):
    """``rebuild``, of all versions.

    ``preserve_ephemeral`` says nothing here: there is no second disk of a user's.
    """

    imageRef: str
    name: Name | _Unset = msgspec.UNSET
    adminPass: AdminPass | None = None
    metadata: _Metadata = msgspec.UNSET
    personality: Personality | _Unset = msgspec.UNSET
    user_data: UserData | _Unset | None = msgspec.UNSET
    key_name: KeyName | _Unset | None = msgspec.UNSET
    description: Description | _Unset | None = msgspec.UNSET
    hostname: Hostname | _Unset = msgspec.UNSET
    trusted_image_certificates: _Unset | None = msgspec.UNSET
    preserve_ephemeral: bool = False
    accessIPv4: Literal["", None] = None
    accessIPv6: Literal["", None] = None
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(
        name="OS-DCF:diskConfig", default="MANUAL"
    )

    def __repr__(self) -> str:
        return "Rebuild(...)"


class RebuildBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the action."""

    rebuild: Rebuild


_YOUNG: Mapping[str, versions.Version] = {
    "description": versions.DESCRIPTION,
    "key_name": versions.REBUILT_WITH_KEY,
    "user_data": versions.NO_FILE_QUOTAS,
    "trusted_image_certificates": versions.CERTIFICATES,
    "hostname": versions.HOSTNAME,
}

# Shows a server by itself.
Shows = Callable[[Transaction, Call, Server], dict[str, Any]]


def change(
    txn: Transaction,
    call: Call,
    uuid: UUID,
    body: dict[str, Any],
    builder: Builder,
    show: Shows,
) -> Answer:
    """
    Order a server's disk to be made anew.

    :raises BadRequest: The body has more than it may, or what it names is not there.
    :raises Conflict: The server's state forbids it.
    :raises NotFound: There is no such server.
    :raises Unreadable: The guest's user data was sealed with another key.
    """
    wanted: Rebuild = given.converted(body, RebuildBody).rebuild
    versions.check_fields(call.version, wanted, _YOUNG, "rebuild")
    check_hostname(call, wanted.hostname)
    server = servers.get(txn, owner(call), uuid)
    before = lives.load(txn, [server.id])
    if server.id not in before:
        raise NotFound(servers.missing(uuid))  # just now, by Ganeti's word
    life = before[server.id]
    permit(Action.REBUILD, life.status, life.task, uuid)
    image = _image(txn, call, wanted.imageRef)
    _check_fit(txn, server, life, image)
    order = Order(
        id=uuid4(),
        server=server.id,
        kind=Kind.REBUILD,
        reinstall=Reinstall(
            image=image.id,
            os=image.os,
            source=guests.source(image),
            drive=server.config_drive,
            os_parameters=image.os_parameters,
            # What is in ERROR never ran as it should have.
            start=life.observed is not Observed.DOWN or life.fault is not None,
        ),
    )
    orders.add(txn, order, server.cluster, call.request_id)
    password = _tell(txn, call, wanted, server, image, order.id, builder)
    _rename(txn, server, wanted)
    after = with_order(evolve(life, progress=0), order)
    remember(txn, call, server.id, "rebuild", order.id)
    lives.save(txn, before, {server.id: after})
    note(txn, call, "server rebuild", uuid)
    changed = servers.get(txn, owner(call), uuid)
    # It is of the new image as soon as its disk is.
    coming = evolve(changed, image=image.id, image_properties=image.properties)
    shown = show(txn, call, coming) | password
    if call.since(versions.NO_FILE_QUOTAS) and wanted.user_data is not msgspec.UNSET:
        shown["user_data"] = wanted.user_data
    return Answer(
        {"server": shown}, headers={"Location": f"{call.base}/servers/{uuid}"}
    )


def _image(txn: Transaction, call: Call, reference: str) -> Image:
    missing = "rebuild.imageRef: Cannot find image for rebuild"
    try:
        known = identifier(last_part(reference), missing)
        image = images.get(txn, call.project.id, known)
    except NotFound:
        raise BadRequest(missing) from None
    if image.status != "active":
        raise BadRequest(f"Image {image.id} is not active.")
    return image


def _check_fit(txn: Transaction, server: Server, life: Life, image: Image) -> None:
    # As it is now that the server is locked.
    flavor = flavors.get(txn, life.flavor or server.flavor.id, None)
    disk_gib = max(flavor.disk_gib, life.disk_gib or 0)
    check_fit(evolve(flavor, disk_gib=disk_gib), image)
    if not disk_gib:
        raise BadRequest("The server has no disk that could be made anew.")


def _tell(
    txn: Transaction,
    call: Call,
    wanted: Rebuild,
    server: Server,
    image: Image,
    order: UUID,
    builder: Builder,
) -> dict[str, str]:
    """
    Store what the guest is to be told; return its password, if it is told one.

    :raises BadRequest: It is to be told something and has no disk for that.
    :raises NotOffered: The operator has set no key.
    """
    if server.config_drive:
        seal = guests.check_tellable(image, server.flavor.disk_gib, builder.seal)
    else:
        guests.check_without_drive(call, wanted)
        if wanted.user_data is msgspec.UNSET and wanted.key_name is msgspec.UNSET:
            return {}
        seal = guests.sealing(builder.seal)
    keys = kept.keys(txn, server.id)
    if not wanted.key_name:  # UNSET is neither
        keys = keys if wanted.key_name is msgspec.UNSET else ()
    else:
        keys = (guests.key_of(txn, call, wanted.key_name),)
    if wanted.user_data is msgspec.UNSET:
        user_data = kept.user_data(txn, seal, server.id)
    else:
        user_data = guests.user_data(wanted.user_data)
    kept.add(txn, seal, server.id, keys, user_data)
    if not server.config_drive:
        return {}
    secret = guests.secret(call, wanted, builder.random_bytes)
    kept.add_secret(txn, seal, order, secret)
    return {"adminPass": secret.admin_pass or ""}


def _rename(txn: Transaction, server: Server, wanted: Rebuild) -> None:
    changes: dict[str, str | None] = {
        name: getattr(wanted, name) or None
        for name in ("name", "description", "hostname", "key_name")
        if getattr(wanted, name) is not msgspec.UNSET
    }
    if wanted.name is not msgspec.UNSET:
        changes["name"] = wanted.name.strip()
    if changes:
        servers.change(txn, server.id, changes)
    if wanted.metadata is not msgspec.UNSET:
        metadata.replace(txn, server.id, wanted.metadata)
