"""``snf-manage quota``: what projects may have at most, and what they have."""

from collections.abc import Callable
from typing import Any

import click

from snf.core.quota import Amounts, Resource
from snf.manage import names
from snf.manage.session import Session
from snf.manage.table import as_json
from snf.manage.table import show as print_table
from snf.storage import quotas
from snf.storage.database import Transaction

_COLUMNS = ("resource", "used", "limit", "set here")


@click.group()
def quota() -> None:
    """What projects may have at most; -1 is as much as they want."""


@quota.command()
@click.argument("project")
@as_json
@click.pass_obj
def show(session: Session, project: str, json: bool) -> None:
    """Show what PROJECT, a name, may have and has."""
    defaults = _defaults(session)

    def look(txn: Transaction) -> list[tuple[Any, ...]]:
        found = names.project(txn, project).id
        used = quotas.used(txn, found)
        own = quotas.limits(txn, found, {})
        return [
            (one.value, used[one], own.get(one, defaults[one]), one in own)
            for one in Resource
        ]

    print_table(_COLUMNS, session.run(look), json)


def _options(command: Callable) -> Callable:
    for resource in reversed(Resource):
        name = "--" + resource.value.replace("_", "-")
        large = resource is Resource.IMAGE_BYTES
        kind = click.IntRange(-1, 2**60 if large else 2**31 - 1)
        command = click.option(name, resource.value, type=kind)(command)
    return command


@quota.command("set")
@click.argument("project")
@_options
@click.option("--defaults", is_flag=True, help="Forget what was set before.")
@click.pass_obj
def set_(session: Session, project: str, defaults: bool, **given: int | None) -> None:
    """Set what PROJECT, a name, may have of what is named; the rest stays as it is."""
    wanted = {Resource(name): most for name, most in given.items() if most is not None}

    def store(txn: Transaction) -> None:
        found = names.project(txn, project).id
        if defaults:
            quotas.forget_limits(txn, found)
        quotas.set_limits(txn, found, wanted)

    session.run(store)
    click.echo(f"the limits of {project} are set")


@quota.command()
@click.pass_obj
def recount(session: Session) -> None:
    """Count anew what all projects have, and tell what had been counted wrong."""
    wrong = session.run(quotas.recount)
    for project, resource, before, after in wrong:
        click.echo(f"{project}: {resource.value} was {before}, is {after}")
    if not wrong:
        click.echo("all was counted right")


def _defaults(session: Session) -> Amounts:
    return {one: getattr(session.settings.quota, one.value) for one in Resource}
