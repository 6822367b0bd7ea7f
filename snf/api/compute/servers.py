"""``/servers``: listing, building, showing, renaming and deleting them."""

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import filters, view
from snf.api.compute.actions import act, named
from snf.api.compute.build import Builder, CreateBody, Name
from snf.api.compute.owned import MISSING, owner
from snf.api.json import Answer, Edge, new_app, route
from snf.core.identity import Role
from snf.core.server import Action
from snf.storage import search, servers
from snf.storage.database import Transaction
from snf.storage.servers import Server


class Renamed(msgspec.Struct, forbid_unknown_fields=True):
    """``server`` in ``PUT /servers/{id}``."""

    name: Name


class RenameBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /servers/{id}``."""

    server: Renamed


@frozen
class Servers:
    """``/servers``."""

    app = new_app()

    edge: Edge
    builder: Builder
    prefix: str
    page_size: int

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> Answer:
        """List ids and names."""
        found = self._listing(txn, call)
        shown = {one.uuid: view.server_brief(call, one) for one in found}
        return _unless_unchanged(
            call, view.page(call, "servers", shown, self.page_size)
        )

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> Answer:
        """List everything."""
        found = self._listing(txn, call)
        shown = {one.uuid: view.server(call, one, self.prefix) for one in found}
        page = view.page(call, "servers/detail", shown, self.page_size)
        return _unless_unchanged(call, page)

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
        servers.change(txn, server_id, {"name": call.body.server.name.strip()})
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
            wanted = filters.wanted(call)
        except filters.Nothing:
            return []
        return search.listing(txn, wanted, call.limit(self.page_size))


def _unless_unchanged(call: Call, page: dict) -> Answer:
    """Answer with a page, or that nothing has changed since when the caller asks."""
    if not page["servers"] and call.argument("changes-since"):
        return Answer(code=304)
    return Answer(page)
