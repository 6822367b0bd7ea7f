"""``snf-manage order``: what is to be done at Ganeti, and what has become of it."""

import click

from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import orders


@click.group()
def order() -> None:
    """What is to be done at Ganeti."""


@order.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that have ended, too.")
@click.option("--limit", default=100, show_default=True)
@as_json
@click.pass_obj
def listing(session: Session, everything: bool, limit: int, json: bool) -> None:
    """List them, the newest first."""
    show(
        orders.OVERVIEW,
        session.run(orders.overview, everything, limit),
        json,
    )
