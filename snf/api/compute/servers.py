"""``/servers``: listing, building, showing, renaming and deleting them."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import view
from snf.api.compute.actions import act, named
from snf.api.compute.build import Builder, CreateBody, Name
from snf.api.json import Answer, Edge, new_app, route
from snf.core.errors import BadRequest, Forbidden
from snf.core.identity import Role
from snf.core.server import Action, Status
from snf.storage import servers
from snf.storage.database import Transaction
from snf.storage.servers import Server, Wanted

MISSING = "Instance {} could not be found."


class Renamed(msgspec.Struct, forbid_unknown_fields=True):
    """``server`` in ``PUT /servers/{id}``."""

    name: Name


class RenameBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /servers/{id}``."""

    server: Renamed


@frozen
class Servers:
    """
    ``/servers``.

    :ivar says_unchanged: Whether a list of changes is a 304 where there is none, as in
        Synnefo's API.  OpenStack's clients take a 304 for an answer and find no JSON.
    """

    app = new_app()

    edge: Edge
    builder: Builder
    prefix: str
    page_size: int
    says_unchanged: bool

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> Answer:
        """List ids and names."""
        found = self._listing(txn, call)
        shown = {one.uuid: view.server_brief(call, one) for one in found}
        return self._answer(call, view.page(call, "servers", shown, self.page_size))

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> Answer:
        """List everything."""
        found = self._listing(txn, call)
        shown = {one.uuid: view.server(call, one, self.prefix) for one in found}
        page = view.page(call, "servers/detail", shown, self.page_size)
        return self._answer(call, page)

    @route(app, "POST", "/", role=Role.MEMBER, body=CreateBody, code=202)
    def create(self, txn: Transaction, call: Call) -> Answer:
        """Ask for a new one."""
        uuid = self.builder.build(txn, call, call.body.server)
        note(txn, call, "server create", uuid)
        return Answer(
            {
                "server": {
                    "id": str(uuid),
                    "links": view.links(call, "servers", uuid),
                    "OS-DCF:diskConfig": "MANUAL",
                    "security_groups": [{"name": "default"}],
                }
            },
            headers={"Location": f"{call.base}/servers/{uuid}"},
        )

    @route(app, "GET", "/<server>")
    def show(self, txn: Transaction, call: Call, server: str) -> dict:
        """Show one."""
        found = servers.get(txn, owner(call), identifier(server, MISSING))
        return {"server": view.server(call, found, self.prefix)}

    @route(app, "PUT", "/<server>", role=Role.MEMBER, body=RenameBody)
    def rename(self, txn: Transaction, call: Call, server: str) -> dict:
        """Give one another name."""
        uuid = identifier(server, MISSING)
        server_id, _ = servers.locate(txn, owner(call), uuid)
        servers.rename(txn, server_id, call.body.server.name.strip())
        note(txn, call, "server rename", uuid)
        found = servers.get(txn, owner(call), uuid)
        return {"server": view.server(call, found, self.prefix)}

    @route(app, "DELETE", "/<server>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, server: str) -> None:
        """Ask for one to be deleted; it is there until Ganeti has done so."""
        uuid = identifier(server, MISSING)
        act(txn, call, owner(call), uuid, Action.DELETE)

    @route(app, "POST", "/<server>/action", role=Role.MEMBER, body=dict, code=202)
    def action(self, txn: Transaction, call: Call, server: str) -> None:
        """Do to one what the body names."""
        uuid = identifier(server, MISSING)
        act(txn, call, owner(call), uuid, named(call.body))

    def _listing(self, txn: Transaction, call: Call) -> list[Server]:
        try:
            wanted = _wanted(call)
        except _Nothing:
            return []
        return servers.listing(txn, wanted, call.limit(self.page_size))

    def _answer(self, call: Call, page: dict) -> Answer:
        asked = call.argument("changes-since") is not None
        if self.says_unchanged and asked and not page["servers"]:
            return Answer(code=304)
        return Answer(page)


class _Nothing(Exception):
    """A filter that nothing can match."""


def owner(call: Call) -> UUID | None:
    """Return whose servers a caller may act on: the project's id, or None for all."""
    return None if call.is_admin else call.project.id


def _wanted(call: Call) -> Wanted:
    everybody = call.flag("all_tenants")
    if everybody and not call.is_admin:
        raise Forbidden("Policy doesn't allow all_tenants to be performed.")
    status = call.argument("status")
    if status is not None and status.upper() not in Status.__members__:
        raise _Nothing
    return Wanted(
        project=None if everybody else call.project.id,
        name=call.argument("name"),
        status=None if status is None else Status[status.upper()],
        changed_since=_since(call),
        deleted=call.flag("deleted") and call.is_admin,
        marker=call.marker(),
    )


def _since(call: Call) -> datetime | None:
    text = call.argument("changes-since")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        # In UTC, since PostgreSQL knows no zones that are more than 16 hours away.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest("changes-since: must be a time, as in ISO 8601") from None
