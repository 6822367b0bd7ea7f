"""Building a server: from what a client sends to the rows and the order."""

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import versions
from snf.api.compute.actions import remember
from snf.api.compute.tags import TagList
from snf.core.catalog import Cluster, Flavor, Image
from snf.core.errors import BadRequest, NotFound
from snf.core.naming import apart_tag, host_name, nic_name
from snf.core.network import Network
from snf.core.order import Build, Kind, NicRequest, Order
from snf.core.placement import Need
from snf.core.quota import NO_LIMITS, Amounts, Resource
from snf.core.server_group import Policy
from snf.storage import (
    clusters,
    flavors,
    images,
    lists,
    networks,
    orders,
    ports,
    quotas,
    server_groups,
    servers,
    tags,
)
from snf.storage.database import Transaction
from snf.storage.server_groups import Entry

# A NUL cannot be stored; the other control characters have no place in a name.  (\Z,
# since $ would let a newline pass at the end.)
_PRINTABLE = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f]+\Z"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PRINTABLE)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PRINTABLE)]
Value = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
# More at once would hold up others, who wait for the same rows.
_Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
Description = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
# Letters, digits and inner hyphens (RFC 1123); with dots only where a version allows.
Hostname = Annotated[
    str,
    msgspec.Meta(
        max_length=255,
        pattern=r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z",
    ),
]

_Empty = Literal["", None]

NICS_AT_MOST = 8


class NetworkRef(msgspec.Struct, forbid_unknown_fields=True):
    """A network that a server is to be on."""

    uuid: str


class SecurityGroupRef(msgspec.Struct, forbid_unknown_fields=True):
    """The one security group that there is."""

    name: Literal["default"]


class BlockDevice(msgspec.Struct, forbid_unknown_fields=True):
    """The one block device that there is: a local disk made from the image."""

    uuid: str
    boot_index: Literal[0, "0"] = 0
    source_type: Literal["image"] = "image"
    destination_type: Literal["local"] = "local"
    delete_on_termination: Literal[True] = True


class NewServer(msgspec.Struct, forbid_unknown_fields=True):
    """``server`` in ``POST /servers``.

    What is not offered (yet) may only be given as clients give "nothing of it".
    """

    name: Name
    flavorRef: str
    imageRef: str = ""
    metadata: Annotated[dict[Key, Value], msgspec.Meta(max_length=128)] = {}
    networks: (
        Annotated[list[NetworkRef], msgspec.Meta(max_length=NICS_AT_MOST)]
        | Literal["auto", "none"]
        | None
    ) = None
    block_device_mapping_v2: Annotated[
        list[BlockDevice], msgspec.Meta(max_length=1)
    ] = []
    security_groups: Annotated[list[SecurityGroupRef], msgspec.Meta(max_length=1)] = []
    min_count: _Count | None = None
    max_count: _Count | None = None
    return_reservation_id: bool = False
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    hostname: Hostname | msgspec.UnsetType = msgspec.UNSET
    tags: TagList | msgspec.UnsetType = msgspec.UNSET
    trusted_image_certificates: msgspec.UnsetType | None = msgspec.UNSET
    config_drive: Literal[False, "", None] = None
    key_name: _Empty = None
    user_data: _Empty = None
    availability_zone: Literal["nova", "", None] = None
    accessIPv4: _Empty = None
    accessIPv6: _Empty = None
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(
        name="OS-DCF:diskConfig", default="MANUAL"
    )


class Hints(msgspec.Struct, forbid_unknown_fields=True):
    """Where a new server is to be: the one hint that there is."""

    group: str | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /servers``; the hints have two names, as in Nova."""

    server: NewServer
    hints: Hints = msgspec.field(name="os:scheduler_hints", default_factory=Hints)
    old_hints: Hints = msgspec.field(
        name="OS-SCH-HNT:scheduler_hints", default_factory=Hints
    )

    @property
    def group(self) -> str | None:
        """The id of the server group that is hinted at."""
        return self.hints.group or self.old_hints.group


# The fields that not all versions have.
YOUNG: Mapping[str, versions.Version] = {
    "description": versions.DESCRIPTION,
    "tags": versions.TAGS_AT_CREATION,
    "trusted_image_certificates": versions.CERTIFICATES,
    "hostname": versions.HOSTNAME,
}


def check(call: Call, wanted: NewServer) -> None:
    """
    Return if what is wanted of a new server fits the version that it is wanted in.

    :raises BadRequest: It does not.
    """
    versions.check_fields(call.version, wanted, YOUNG)
    check_hostname(call, wanted.hostname)
    if wanted.networks is None and call.since(versions.NETWORKS_NEEDED):
        raise BadRequest("server.networks: 'networks' is a required property")


def check_hostname(call: Call, hostname: str | msgspec.UnsetType) -> None:
    """
    Return if a hostname fits the version that it is wanted in.

    :raises BadRequest: It has a domain, which younger versions allow.
    """
    dotted = isinstance(hostname, str) and "." in hostname
    if dotted and not call.since(versions.HOSTNAME_WITH_DOTS):
        raise BadRequest("server.hostname: must have no dots")


@frozen
class Builder:
    """Stores new servers and orders their builds.

    :ivar limits: What a project may have for which an operator has set nothing.
    """

    random_bytes: Callable[[int], bytes] = os.urandom
    limits: Amounts = NO_LIMITS

    def build(
        self,
        txn: Transaction,
        call: Call,
        wanted: NewServer,
        reservation: str,
        index: int = 0,
        group: str | None = None,
    ) -> UUID:
        """
        Store a server and order its build; its id.

        :param reservation: What all servers that are asked for together share.
        :param index: Which one of them it is.
        :param group: The id of the server group that it is to be in.
        :raises BadRequest: Its flavor, image, group or a network is not to be had.
        :raises QuotaExceeded: The project or the group would have more than it may.
        :raises Conflict: A network has no free address left, or the policy of the
            group cannot be kept.
        :raises Unavailable: No cluster takes it now.
        """
        flavor = _flavor(txn, call, wanted.flavorRef)
        image = _image(txn, call, wanted)
        check_fit(flavor, image)
        wired = _networks(txn, call, wanted)
        entry = None if group is None else self._enter(txn, call, group)
        company = None if entry is None else entry.company
        cluster = clusters.choose(txn, call.project.id, _need(flavor), company)
        uuid = uuid4()
        server_id = servers.add(
            txn,
            servers.NewServer(
                uuid=uuid,
                project=call.project.id,
                user=call.grant.user.id,
                name=wanted.name.strip(),
                flavor=flavor.id,
                image=image.id,
                cluster=cluster.id,
                metadata=wanted.metadata,
                description=wanted.description or None,
                hostname=wanted.hostname or host_name(wanted.name, uuid),
                pinned_zone=wanted.availability_zone or None,
                reservation=reservation,
                launch_index=index,
            ),
        )
        if wanted.tags:
            tags.add(txn, server_id, wanted.tags)
        if entry is not None:
            server_groups.join(txn, entry.group.id, server_id, entry.slot)
        nics = [
            self._nic(txn, call, network, server_id, position, cluster)
            for position, network in enumerate(wired)
        ]
        order = Order(
            id=uuid4(),
            server=server_id,
            kind=Kind.CREATE,
            build=_order(flavor, image, nics, entry),
        )
        orders.add(txn, order, cluster.id, call.request_id)
        remember(txn, call, server_id, "create", order.id)
        # Last, since from here on the project's requests queue up.
        quotas.take(txn, call.project.id, _amounts(flavor, wired), self.limits)
        return uuid

    def _enter(self, txn: Transaction, call: Call, group: str) -> Entry:
        missing = server_groups.missing(group)
        try:
            known = identifier(group, missing)
            return server_groups.enter(txn, call.project.id, known, self.limits)
        except NotFound:
            raise BadRequest(missing) from None

    def _nic(
        self,
        txn: Transaction,
        call: Call,
        network: Network,
        server: int,
        position: int,
        cluster: Cluster,
    ) -> NicRequest:
        port = uuid4()
        mac, addresses = ports.add(
            txn,
            port,
            network,
            call.project.id,
            server,
            position,
            cluster.mac_prefix,
            self.random_bytes,
        )
        # Ganeti's NICs have one address, an IPv4 one.
        v4 = [fixed.address for fixed in addresses if fixed.address.version == 4]
        return NicRequest(
            name=nic_name(port),
            mac=mac,
            ip=str(v4[0]) if v4 else None,
            mode=network.mode,
            link=network.link,
        )


def usable(txn: Transaction, call: Call, flavor: UUID) -> Flavor:
    """
    Return a flavor that a caller may use: admins all, others public ones and theirs.

    :raises NotFound: There is none.
    """
    return flavors.get(txn, flavor, None if call.is_admin else call.project.id)


def _need(flavor: Flavor) -> Need:
    return Need(flavor.ram_mib, flavor.disk_gib, flavor.disk_template)


def _amounts(flavor: Flavor, wired: list[Network]) -> dict[Resource, int]:
    return {
        Resource.INSTANCES: 1,
        Resource.CORES: flavor.vcpus,
        Resource.RAM_MIB: flavor.ram_mib,
        Resource.DISK_GIB: flavor.disk_gib,
        Resource.PORTS: len(wired),
        Resource.FIXED_IPS: sum(len(network.subnets) for network in wired),
    }


def _order(
    flavor: Flavor, image: Image, nics: list[NicRequest], entry: Entry | None
) -> Build:
    # For the other policies Ganeti has nothing: they are a matter of the cluster alone.
    apart = entry is not None and entry.group.policy is Policy.ANTI_AFFINITY
    return Build(
        vcpus=flavor.vcpus,
        ram_mib=flavor.ram_mib,
        disk_gib=flavor.disk_gib,
        disk_template=flavor.disk_template,
        os=image.os,
        hypervisor=image.hypervisor,
        os_parameters=image.os_parameters,
        nics=tuple(nics),
        tags=(apart_tag(entry.group.id, entry.slot),) if entry and apart else (),
    )


def _flavor(txn: Transaction, call: Call, reference: str) -> Flavor:
    missing = "Invalid flavorRef provided."
    try:
        flavor = usable(txn, call, identifier(last_part(reference), missing))
    except NotFound:
        raise BadRequest(missing) from None
    if flavor.deleted:
        raise BadRequest(missing)
    return flavor


def _image(txn: Transaction, call: Call, wanted: NewServer) -> Image:
    reference = last_part(wanted.imageRef)
    for device in wanted.block_device_mapping_v2:
        if reference not in ("", device.uuid):
            raise BadRequest(
                "server.block_device_mapping_v2: must name the image of imageRef"
            )
        reference = device.uuid
    missing = "server.imageRef: Can not find requested image"
    try:
        image = images.get(txn, call.project.id, identifier(reference, missing))
    except NotFound:
        raise BadRequest(missing) from None
    if image.status != "active":
        raise BadRequest(f"Image {image.id} is not active.")
    return image


def check_fit(flavor: Flavor, image: Image) -> None:
    if flavor.disk_gib < image.min_disk_gib:
        raise BadRequest("Flavor's disk is too small for requested image.")
    if flavor.ram_mib < image.min_ram_mib:
        raise BadRequest("Flavor's memory is too small for requested image.")


def _networks(txn: Transaction, call: Call, wanted: NewServer) -> list[Network]:
    """Return the networks to be on, in the order asked for."""
    if wanted.networks == "none":
        return []
    if not wanted.networks or wanted.networks == "auto":
        return _found(txn, call, is_default=[True])
    missing = "Network {} could not be found."
    try:
        ids = [identifier(network.uuid, missing) for network in wanted.networks]
    except NotFound as failure:
        raise BadRequest(f"server.networks: {failure}") from None
    found: dict[UUID, Any] = {
        network.id: network for network in _found(txn, call, id=ids)
    }
    for network_id in ids:
        if network_id not in found:
            raise BadRequest(f"server.networks: {missing.format(network_id)}")
    return [found[network_id] for network_id in ids]


def _found(txn: Transaction, call: Call, **only: list) -> list[Network]:
    wanted = lists.Wanted(call.project.id, only)
    return lists.listing(txn, networks.NETWORKS, wanted, NICS_AT_MOST)


def last_part(reference: str) -> str:
    """Return the id in a reference, which may be an id or a whole URL."""
    return reference.rstrip("/").rpartition("/")[2]
