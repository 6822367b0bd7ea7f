"""Building a server: from what a client sends to the rows and the order."""

import os
from collections.abc import Callable
from uuid import UUID, uuid4

from attrs import evolve, field, frozen

from snf.api.call import Call, identifier
from snf.api.compute import guests
from snf.api.compute.actions import remember
from snf.api.compute.bodies import NewServer
from snf.api.compute.guests import Wish as GuestWish
from snf.api.compute.places import Wired, wanted_places
from snf.api.compute.security_groups import named
from snf.api.plugging import Made, Plugger, Wish
from snf.core.catalog import Cluster, Flavor, Image
from snf.core.errors import BadRequest, NotFound
from snf.core.firewall import OFFERED, Offered
from snf.core.naming import apart_tag, host_name
from snf.core.order import Build, Kind, NicRequest, Order
from snf.core.placement import Need
from snf.core.quota import NO_LIMITS, Amounts, Resource
from snf.core.sealing import Seal
from snf.core.server_group import Policy
from snf.storage import (
    clusters,
    flavors,
    orders,
    parts,
    quotas,
    server_groups,
    servers,
    tags,
)
from snf.storage import guests as told
from snf.storage.database import Transaction
from snf.storage.plugs import Spot
from snf.storage.server_groups import Entry


@frozen
class Built:
    """A server that has been asked for; ``admin_pass`` is what its guest is told."""

    uuid: UUID
    admin_pass: str | None = field(default=None, repr=False)


@frozen
class Builder:
    """Stores new servers and orders their builds.

    :ivar limits: What a project may have for which an operator has set nothing.
    :ivar firewall: What security groups and profiles there are.
    :ivar seal: What seals what guests are told; None where they can be told nothing.
    :ivar force_drive: Whether there is a config drive also where none is wanted.
    """

    random_bytes: Callable[[int], bytes] = os.urandom
    limits: Amounts = NO_LIMITS
    firewall: Offered = OFFERED
    seal: Seal | None = None
    force_drive: bool = True

    @property
    def plugger(self) -> Plugger:
        """What makes ports, for servers and by themselves."""
        return Plugger(self.random_bytes, self.limits, self.firewall)

    def build(
        self,
        txn: Transaction,
        call: Call,
        wanted: NewServer,
        reservation: str,
        index: int = 0,
        group: str | None = None,
        take: Callable[..., None] = quotas.take_last,
        password: str | None = None,
    ) -> Built:
        """
        Store a server and order its build.

        :param reservation: What all servers that are asked for together share.
        :param index: Which one of them it is.
        :param group: The id of the server group that it is to be in.
        :param take: Counts what the project gets, now or with the commit.
        :param password: The one that has been made up for those before it.
        :raises BadRequest: Its flavor, image, group or a network is not to be had.
        :raises QuotaExceeded: The project or the group would have more than it may.
        :raises Conflict: A network has no free address left, or the policy of the
            group cannot be kept.
        :raises Unavailable: No cluster takes it now.
        """
        flavor, image, default = _parts(txn, call, wanted)
        check_fit(flavor, image)
        guest = self._guest(txn, call, wanted, flavor, image, password)
        wired = wanted_places(txn, call, wanted)
        groups = self._groups(txn, call, wanted, default)
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
                key_name=guest.key_name,
                config_drive=guest.drive,
            ),
        )
        if wanted.tags:
            tags.add(txn, server_id, wanted.tags)
        if entry is not None:
            server_groups.join(txn, entry.group.id, server_id, entry.slot)
        amounts = _amounts(flavor)
        nics = []
        for position, one in enumerate(wired):
            spot = Spot(server_id, position, one.tag)
            made = self._port(txn, call, one, spot, cluster, groups)
            nics.append(made.nic)
            for resource, amount in made.held.items():
                amounts[resource] = amounts.get(resource, 0) + amount
        order = Order(
            id=uuid4(),
            server=server_id,
            kind=Kind.CREATE,
            build=_order(flavor, image, nics, entry, guest.drive),
        )
        orders.add(txn, order, cluster.id, call.request_id)
        if self.seal is not None and (guest.drive or guest.keys or guest.user_data):
            told.add(txn, self.seal, server_id, guest.keys, guest.user_data)
            told.add_secret(txn, self.seal, order.id, guest.secret)
        remember(txn, call, server_id, "create", order.id)
        # Last, since from here on the project's requests queue up.
        take(txn, call.project.id, amounts, self.limits)
        return Built(uuid, guest.secret.admin_pass)

    def _guest(
        self,
        txn: Transaction,
        call: Call,
        wanted: NewServer,
        flavor: Flavor,
        image: Image,
        password: str | None,
    ) -> GuestWish:
        """Return what the guest is to be told; nothing where none has asked for it."""
        if image.sha256 is None and not wanted.tells:
            guests.files(call, wanted.personality)  # which some versions have not
            return GuestWish(drive=False)
        drive = self.force_drive or not wanted.without_drive
        if drive:
            guests.check_tellable(image, flavor.disk_gib, self.seal)
        wish = guests.wish(txn, call, wanted, self.seal, drive)
        secret = guests.secret(call, wanted, self.random_bytes, password)
        return evolve(wish, secret=secret) if drive else wish

    def _groups(
        self,
        txn: Transaction,
        call: Call,
        wanted: NewServer,
        default: UUID | None,
    ) -> list[UUID] | None:
        """
        Return the security groups to be in, held; None for just the default one.

        :param default: That one, held already; None where it has yet to be made.
        """
        names = [group.name for group in wanted.security_groups] or ["default"]
        if default is not None and set(names) == {"default"}:
            return None
        try:
            found = named(txn, call.project.id, names, self.firewall)
        except NotFound as failure:
            raise BadRequest(f"server.security_groups: {failure}") from None
        return None if set(names) == {"default"} else found

    def _enter(self, txn: Transaction, call: Call, group: str) -> Entry:
        missing = server_groups.missing(group)
        try:
            known = identifier(group, missing)
            return server_groups.enter(txn, call.project.id, known, self.limits)
        except NotFound:
            raise BadRequest(missing) from None

    def _port(
        self,
        txn: Transaction,
        call: Call,
        wanted: Wired,
        spot: Spot,
        cluster: Cluster,
        groups: list[UUID] | None,
    ) -> Made:
        """Put a port on a new server, which is made where there is none yet."""
        if wanted.network is None:
            assert wanted.port is not None
            return self.plugger.plug(txn, wanted.port, spot)
        project = call.project.id
        wish = Wish(
            wanted.network,
            project,
            wanted.fixed,
            kept=False,
            groups=groups,
            subnets=wanted.subnets,
        )
        return self.plugger.add(txn, wish, spot, cluster.mac_prefix)


def usable(txn: Transaction, call: Call, flavor: UUID) -> Flavor:
    """
    Return a flavor that a caller may use: admins all, others public ones and theirs.

    :raises NotFound: There is none.
    """
    return flavors.get(txn, flavor, None if call.is_admin else call.project.id)


def _need(flavor: Flavor) -> Need:
    return Need(flavor.ram_mib, flavor.disk_gib, flavor.disk_template)


def _amounts(flavor: Flavor) -> dict[Resource, int]:
    return {
        Resource.INSTANCES: 1,
        Resource.CORES: flavor.vcpus,
        Resource.RAM_MIB: flavor.ram_mib,
        Resource.DISK_GIB: flavor.disk_gib,
    }


def _order(
    flavor: Flavor,
    image: Image,
    nics: list[NicRequest],
    entry: Entry | None,
    drive: bool,
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
        source=guests.source(image),
        drive=drive,
    )


_NO_FLAVOR = "Invalid flavorRef provided."
_NO_IMAGE = "server.imageRef: Can not find requested image"


def _parts(
    txn: Transaction, call: Call, wanted: NewServer
) -> tuple[Flavor, Image, UUID | None]:
    """Return the flavor, the image, and the project's default group if there is one."""
    flavor = _id(wanted.flavorRef, _NO_FLAVOR)
    image = _id(_image(wanted), _NO_IMAGE)
    found = parts.get(txn, call.project.id, flavor, image, call.is_admin)
    if found.flavor is None or found.flavor.deleted:
        raise BadRequest(_NO_FLAVOR)
    if found.image is None:
        raise BadRequest(_NO_IMAGE)
    if found.image.status != "active":
        raise BadRequest(f"Image {found.image.id} is not active.")
    return found.flavor, found.image, found.group


def _id(reference: str, missing: str) -> UUID:
    try:
        return identifier(last_part(reference), missing)
    except NotFound:
        raise BadRequest(missing) from None


def _image(wanted: NewServer) -> str:
    """Return what names the image, in one of two places or in both."""
    reference = last_part(wanted.imageRef)
    for device in wanted.block_device_mapping_v2:
        if reference not in ("", device.uuid):
            raise BadRequest(
                "server.block_device_mapping_v2: must name the image of imageRef"
            )
        reference = device.uuid
    return reference


def check_fit(flavor: Flavor, image: Image) -> None:
    """
    Return if an image has room in a flavor.

    :raises BadRequest: It has not, in Nova's words.
    """
    needed = image.virtual_size_bytes or 0 if image.sha256 is not None else 0
    too_small = flavor.disk_gib * _GIB < needed
    if flavor.disk_gib < image.min_disk_gib or too_small:
        raise BadRequest("Flavor's disk is too small for requested image.")
    if flavor.ram_mib < image.min_ram_mib:
        raise BadRequest("Flavor's memory is too small for requested image.")


_GIB = 2**30


def last_part(reference: str) -> str:
    """Return the id in a reference, which may be an id or a whole URL."""
    return reference.rstrip("/").rpartition("/")[2]
