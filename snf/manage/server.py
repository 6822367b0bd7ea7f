"""``snf-manage server``: users' servers, and taking them from who misuses them."""

from typing import Any
from uuid import UUID, uuid4

import click

from snf.core.errors import NotFound
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import activities, overview, suspensions
from snf.storage.activities import Activity
from snf.storage.database import Transaction


@click.group()
def server() -> None:
    """The servers of all projects."""


@server.command("list")
@click.option("--project", help="Those of the project with this name.")
@click.option("--cluster", help="Those on the cluster with this name.")
@click.option("--status", help="Those with this status, as users see it.")
@click.option("--suspended", is_flag=True, help="Those that are suspended.")
@click.option("--limit", default=100, show_default=True)
@as_json
@click.pass_obj
def listing(session: Session, json: bool, limit: int, **narrowing: Any) -> None:
    """List them, the newest first."""
    narrowing["status"] = narrowing["status"] and narrowing["status"].upper()
    narrowing["suspended"] = narrowing["suspended"] or None
    wanted = overview.Wanted(**narrowing)
    show(overview.COLUMNS, session.run(overview.listing, wanted, limit), json)


@server.command("show")
@click.argument("named", metavar="SERVER")
@as_json
@click.pass_obj
def shown(session: Session, named: str, json: bool) -> None:
    """Show SERVER, given by its id or by its name at Ganeti."""
    row = session.run(overview.get, _named(session, named))
    if json:
        show(overview.COLUMNS, [row], json)
    else:
        show(("", "is"), [*zip(overview.COLUMNS, row, strict=True)], json)


@server.command()
@click.argument("named", metavar="SERVER")
@click.pass_obj
def suspend(session: Session, named: str) -> None:
    """Stop SERVER, and keep its owners from doing anything with it."""
    session.run(_suspend, _named(session, named))
    click.echo(f"server {named} is suspended")


@server.command()
@click.argument("named", metavar="SERVER")
@click.pass_obj
def unsuspend(session: Session, named: str) -> None:
    """Give SERVER back to its owners; it stays stopped until they start it."""
    session.run(_unsuspend, _named(session, named))
    click.echo(f"server {named} is not suspended")


def _named(session: Session, text: str) -> UUID:
    """
    Return the id of the server that an operator means.

    :raises NotFound: There is none.
    """
    try:
        return UUID(text)
    except ValueError:
        prefix = f"{session.settings.ganeti.instance_prefix}-"
        number = text.removeprefix(prefix)
        if not (text.startswith(prefix) and number.isascii() and number.isdigit()):
            raise NotFound(f"there is no server {text}") from None
        return session.run(overview.numbered, int(number[:18]))


def _suspend(txn: Transaction, uuid: UUID) -> None:
    request = f"req-{uuid4()}"
    suspensions.suspend(txn, uuid, request)
    activities.add(txn, Activity("server suspend", object=uuid, request_id=request))


def _unsuspend(txn: Transaction, uuid: UUID) -> None:
    suspensions.end(txn, uuid)
    activities.add(txn, Activity("server unsuspend", object=uuid))
