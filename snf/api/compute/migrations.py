"""What has been taken from node to node: ``/os-migrations``, ``/servers/{id}/migrations``."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from attrs import evolve, frozen

from snf.api.call import UUID_TEXT, Call
from snf.api.compute import filters, versions, view
from snf.api.compute.owned import locate
from snf.api.json import Edge, new_app, route
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.core.order import Kind, State
from snf.storage import moves
from snf.storage.database import Transaction
from snf.storage.moves import Move, Wanted

_Json = dict[str, Any]

_TYPES = {
    Kind.MIGRATE: "migration",
    Kind.MIGRATE_LIVE: "live-migration",
    Kind.EVACUATE: "evacuation",
}
_KINDS = {word: kind for kind, word in _TYPES.items()}


@frozen
class Migrations:
    """``/os-migrations``: all of them."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call) -> _Json:
        """List what has been taken to other nodes, the newest first."""
        paged = call.since(versions.MIGRATION_PAGES)
        limit = call.limit(self.page_size) if paged else self.page_size
        try:
            found = moves.listing(txn, _wanted(call), limit)
        except filters.Nothing:
            found = []
        answer: _Json = {"migrations": [_migration(call, one) for one in found]}
        if paged and found and len(found) == limit:
            href = f"{call.base}/os-migrations?{call.page_after(found[-1].id)}"
            answer["migrations_links"] = [{"rel": "next", "href": href}]
        return answer


@frozen
class OfServer:
    """``/servers/{id}/migrations``: the live ones that are under way."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(
        app,
        "GET",
        "/<server>/migrations",
        role=Role.ADMIN,
        since=versions.MIGRATIONS_LINKED,
    )
    def list(self, txn: Transaction, call: Call, server: str) -> _Json:
        """List how one is being migrated live, if it is."""
        _, uuid = locate(txn, call, server)
        found = moves.listing(txn, _under_way(uuid), self.page_size)
        return {"migrations": [_progress(call, one) for one in found]}

    @route(
        app,
        "GET",
        "/<server>/migrations/<migration>",
        role=Role.ADMIN,
        since=versions.MIGRATIONS_LINKED,
    )
    def show(self, txn: Transaction, call: Call, server: str, migration: str) -> _Json:
        """Show how one is being migrated live."""
        _, uuid = locate(txn, call, server)
        if migration.isascii() and migration.isdigit() and len(migration) <= 18:
            wanted = evolve(_under_way(uuid), number=int(migration))
            for one in moves.listing(txn, wanted, 1):
                return {"migration": _progress(call, one)}
        raise NotFound(
            f"In-progress live migration {migration} is not found for server {uuid}."
        )


def _under_way(server: UUID) -> Wanted:
    states = [state.value for state in State if state.open]
    return Wanted(server=server, kind=Kind.MIGRATE_LIVE, states=states)


def _migration(call: Call, move: Move) -> _Json:
    shown: _Json = {
        **_places(move),
        "instance_uuid": str(move.server),
        # Numbers of OpenStack's own; a migration changes no flavor.
        "old_instance_type_id": None,
        "new_instance_type_id": None,
    }
    if call.since(versions.MIGRATIONS_LINKED):
        shown["migration_type"] = _TYPES[move.kind]
        if move.kind is Kind.MIGRATE_LIVE and move.state.open:
            place = f"servers/{move.server}/migrations/{move.number}"
            shown["links"] = [
                {"rel": "self", "href": f"{call.base}/{place}"},
                {"rel": "bookmark", "href": f"{call.root}/compute/{place}"},
            ]
    return shown | _whose(call, move)


def _progress(call: Call, move: Move) -> _Json:
    # How far a migration is Ganeti does not tell.
    sizes = (
        f"{what}_{part}_bytes"
        for what in ("memory", "disk")
        for part in ("total", "processed", "remaining")
    )
    shown = {**_places(move), "server_uuid": str(move.server), **dict.fromkeys(sizes)}
    return shown | _whose(call, move)


def _places(move: Move) -> _Json:
    return {
        "id": move.number,
        "status": move.status,
        "source_compute": move.cluster,
        "source_node": move.cluster,
        "dest_compute": move.cluster,
        "dest_node": move.node or move.cluster,
        "dest_host": None,
        "created_at": view.precise(move.created),
        "updated_at": view.precise(move.updated),
    }


def _whose(call: Call, move: Move) -> _Json:
    shown: _Json = {}
    if call.since(versions.MIGRATION_PAGES):
        shown["uuid"] = str(move.id)
    if call.since(versions.MIGRATIONS_BY_WHOM):
        shown["user_id"] = None if move.user is None else str(move.user)
        shown["project_id"] = None if move.project is None else str(move.project)
    return shown


def _wanted(call: Call) -> Wanted:
    found: dict[str, Any] = {}
    served = {name: one for name, one in _FILTERS.items() if call.since(one[1])}
    for name, (field, _, read) in served.items():
        text = call.argument(name)
        if text is not None:
            found[field] = read(call, name, text)
    if not call.since(versions.MIGRATION_PAGES):
        return Wanted(**found)
    call.check_known({*served, "hidden", "limit", "marker"})
    asked = Wanted(marker=call.marker(), **found)
    since, before = asked.changed_since, asked.changed_before
    if since is not None and before is not None and since > before:
        raise BadRequest("changes-since: must not be after changes-before")
    return asked


def _text(call: Call, name: str, text: str) -> str:
    return text


def _id(call: Call, name: str, text: str) -> UUID:
    """Return an id; what is none belongs to nothing."""
    if not UUID_TEXT.fullmatch(text):
        raise filters.Nothing
    return UUID(text)


def _kind(call: Call, name: str, text: str) -> Kind:
    if text not in _KINDS:
        raise filters.Nothing
    return _KINDS[text]


# What each parameter narrows, from which version on, and how it is read.
_FILTERS: dict[str, tuple[str, versions.Version, Callable[[Call, str, str], Any]]] = {
    "host": ("host", (2, 1), _text),
    "source_compute": ("host", (2, 1), _text),
    "instance_uuid": ("server", (2, 1), _id),
    "status": ("status", (2, 1), _text),
    "migration_type": ("kind", (2, 1), _kind),
    "changes-since": ("changed_since", versions.MIGRATION_PAGES, filters.moment),
    "changes-before": ("changed_before", versions.CHANGED_BEFORE, filters.moment),
    "user_id": ("user", versions.MIGRATIONS_BY_WHOM, _id),
    "project_id": ("project", versions.MIGRATIONS_BY_WHOM, _id),
}
