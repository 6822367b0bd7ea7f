"""``/servers``: listing, building, showing, renaming and deleting them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import (
    attachments,
    batch,
    console_logs,
    consoles,
    filters,
    firewall,
    fixed_ips,
    floating_ips,
    guest_passwords,
    locks,
    moves,
    rebuilds,
    repairs,
    resizes,
    security_groups,
    unoffered,
    versions,
    view,
)
from snf.api.compute.actions import act, named
from snf.api.compute.bodies import (
    YOUNG,
    CreateBody,
    Description,
    Hostname,
    Name,
    NewServer,
    SecurityGroupRef,
    check,
    check_hostname,
)
from snf.api.compute.build import Builder
from snf.api.compute.consoles import Consoles
from snf.api.compute.owned import MISSING, locate, owner
from snf.api.json import Afterwards, Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.api.repeat import Told, once
from snf.core.errors import BadRequest
from snf.core.identity import Role
from snf.core.sealing import Unreadable
from snf.core.server import Action
from snf.storage import guests, search, servers
from snf.storage.database import Transaction
from snf.storage.servers import Server, from_text


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """``server`` in ``PUT /servers/{id}``."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    hostname: Hostname | msgspec.UnsetType = msgspec.UNSET


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /servers/{id}``."""

    server: Changes


_DEFAULT = (SecurityGroupRef("default"),)

# What is not simply ordered: the function of each action's name.
_OWN_WAYS: dict[str, Callable[[Transaction, Call, UUID, dict], Answer | None]] = {
    **dict.fromkeys(locks.NAMES, locks.change),
    **dict.fromkeys(unoffered.NAMES, unoffered.refuse),
    **moves.ACTIONS,
    **repairs.ACTIONS,
}

_YOUNG = {name: YOUNG[name] for name in ("description", "hostname")}


@frozen
class Servers:
    """
    ``/servers``.

    :ivar of_synnefo: Whether it is as in Synnefo's API where OpenStack's clients would
        not do with that: a list of changes is a 304 where there is none, which they
        take for an answer and find no JSON.  Servers show their NICs as attachments.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    builder: Builder
    prefix: str
    page_size: int
    of_synnefo: bool
    consoles: Consoles

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> Answer:
        """List ids and names."""
        found = self._listing(txn, call, search.BRIEF)
        shown = {one: view.server_brief(call, one, name) for one, name in found}
        return self._answer(call, view.page(call, "servers", shown, self.page_size))

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> Answer:
        """List everything."""
        found = self._listing(txn, call, search.FULL)
        shown: Mapping[UUID, Any]
        if self.of_synnefo:
            shown = self._shown(txn, call, [from_text(text) for _, text in found])
        else:
            look = view.look(call, self.prefix)
            shown = {one: view.server_written(look, text) for one, text in found}
        page = view.page(call, "servers/detail", shown, self.page_size)
        return self._answer(call, page)

    @route(app, "POST", "/", role=Role.MEMBER, body=CreateBody, code=202)
    def create(self, txn: Transaction, call: Call) -> Answer:
        """Ask for a new one."""
        wanted: NewServer = call.body.server
        group: str | None = call.body.group
        check(call, wanted)
        once_only: dict[str, str] = {}
        work = partial(self._build, txn, call, wanted, group, once_only)
        told = once(txn, call, work)
        place = {} if told.place is None else {"Location": told.place}
        body = told.body
        if "server" in body:
            body = {"server": {**body["server"], **once_only}}
        return Answer(body, headers=place)

    def _build(
        self,
        txn: Transaction,
        call: Call,
        wanted: NewServer,
        group: str | None,
        once_only: dict[str, str],
    ) -> Told:
        """
        Ask for servers; return what may be told again.

        :param once_only: Gets what may not.
        """
        made = batch.build(txn, call, self.builder, wanted, group)
        for uuid in made.servers:
            note(txn, call, "server create", uuid)
        if wanted.return_reservation_id:
            return Told({"reservation_id": made.reservation})
        if made.admin_pass is not None:
            once_only["adminPass"] = made.admin_pass
        first = made.servers[0]
        shown = {
            "id": str(first),
            "links": view.links(call, "servers", first),
            "OS-DCF:diskConfig": "MANUAL",
            "security_groups": [
                {"name": group.name} for group in wanted.security_groups or _DEFAULT
            ],
        }
        return Told({"server": shown}, f"{call.base}/servers/{first}")

    @route(app, "GET", "/<server>")
    def show(self, txn: Transaction, call: Call, server: str) -> dict:
        """Show one."""
        return self._one(txn, call, identifier(server, MISSING))

    @route(app, "PUT", "/<server>", role=Role.MEMBER, body=ChangeBody)
    def change(self, txn: Transaction, call: Call, server: str) -> dict:
        """Change the name, the description or the hostname of one."""
        wanted: Changes = call.body.server
        versions.check_fields(call.version, wanted, _YOUNG)
        check_hostname(call, wanted.hostname)
        changes = {
            name: value.strip() if name == "name" else value or None
            for name, value in msgspec.structs.asdict(wanted).items()
            if value is not msgspec.UNSET
        }
        if not changes:
            raise BadRequest("server: names nothing to change")
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        servers.change(txn, number, changes)
        note(txn, call, "server rename", uuid)
        return self._one(txn, call, uuid)

    @route(app, "DELETE", "/<server>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, server: str) -> None:
        """Ask for one to be deleted; it is there until Ganeti has done so."""
        uuid = identifier(server, MISSING)
        locks.check(txn, call, uuid)
        act(txn, call, owner(call), uuid, Action.DELETE)

    @route(app, "POST", "/<server>/action", role=Role.MEMBER, body=dict, code=202)
    def action(
        self, txn: Transaction, call: Call, server: str
    ) -> Answer | Afterwards | None:
        """Do to one what the body names."""
        uuid = identifier(server, MISSING)
        if len(call.body) == 1 and consoles.NAMES.intersection(call.body):
            return consoles.change(txn, call, uuid, call.body, self.consoles)
        if len(call.body) == 1 and console_logs.NAMES.intersection(call.body):
            logs, clock = self.consoles.logs, self.edge.clock
            return console_logs.change(txn, call, uuid, call.body, logs, clock)
        for name, own_way in _OWN_WAYS.items():
            if name in call.body and len(call.body) == 1:
                return own_way(txn, call, uuid, call.body)
        for names, way in self._ways().items():
            if len(call.body) == 1 and names.intersection(call.body):
                locks.check(txn, call, uuid)
                return way(txn, call, uuid, call.body)
        action = named(call.body)
        locks.check(txn, call, uuid)
        act(txn, call, owner(call), uuid, action)
        return None

    def _ways(self) -> Mapping[frozenset[str], Callable[..., Answer | None]]:
        """Return what is not simply ordered and heeds locks, as :data:`_OWN_WAYS`."""
        builder = self.builder
        return {
            resizes.NAMES: partial(resizes.change, limits=builder.limits),
            rebuilds.NAMES: partial(
                rebuilds.change, builder=builder, show=self._rebuilt
            ),
            guest_passwords.NAMES: guest_passwords.change,
            floating_ips.NAMES: floating_ips.change,
            fixed_ips.NAMES: partial(fixed_ips.change, plugger=builder.plugger),
            firewall.NAMES: partial(firewall.change, offered=builder.firewall),
            security_groups.NAMES: partial(
                security_groups.change, offered=builder.firewall
            ),
        }

    def _one(self, txn: Transaction, call: Call, uuid: UUID) -> dict:
        found = servers.get(txn, owner(call), uuid)
        return {"server": self._shown(txn, call, [found], alone=True)[uuid]}

    def _rebuilt(self, txn: Transaction, call: Call, server: Server) -> dict[str, Any]:
        return self._shown(txn, call, [server], alone=True)[server.uuid]

    def _shown(
        self, txn: Transaction, call: Call, found: Sequence[Server], alone: bool = False
    ) -> dict[UUID, dict[str, Any]]:
        """Return servers as they are shown, by their ids."""
        shown = {one.uuid: view.server(call, one, self.prefix, alone) for one in found}
        if alone and call.is_admin and call.since(versions.EXTENDED):
            self._tell_user_data(txn, found, shown)
        if self.of_synnefo:
            for uuid, nics in attachments.of_servers(txn, found).items():
                shown[uuid]["attachments"] = nics
        return shown

    def _tell_user_data(
        self,
        txn: Transaction,
        found: Sequence[Server],
        shown: dict[UUID, dict[str, Any]],
    ) -> None:
        seal = self.builder.seal
        for one in found:
            if seal is not None:
                with suppress(Unreadable):  # it says nothing then
                    user_data = guests.user_data(txn, seal, one.id)
                    shown[one.uuid]["OS-EXT-SRV-ATTR:user_data"] = user_data

    def _listing(
        self, txn: Transaction, call: Call, columns: str
    ) -> list[tuple[UUID, str]]:
        try:
            wanted = filters.wanted(call)
        except filters.Nothing:
            return []
        return search.listing(txn, wanted, call.limit(self.page_size), columns)

    def _answer(self, call: Call, page: dict) -> Answer:
        return (
            filters.if_changed(call, page, "servers")
            if self.of_synnefo
            else Answer(page)
        )
