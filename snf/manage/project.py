"""``snf-manage project``: who owns servers."""

from uuid import uuid4

import click
from attrs import evolve

from snf.core.errors import NotFound
from snf.core.identity import Project
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import users
from snf.storage.database import Transaction


@click.group()
def project() -> None:
    """The projects, which own servers."""


@project.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List them."""
    show(
        ("id", "name", "enabled", "description"),
        [
            (one.id, one.name, one.enabled, one.description)
            for one in session.run(users.projects)
        ],
        json,
    )


@project.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.pass_obj
def create(session: Session, name: str, description: str) -> None:
    """Make the project NAME."""
    session.check_own_accounts()
    made = Project(uuid4(), name, description)
    session.run(users.add_project, made)
    click.echo(f"project {name} has the id {made.id}")


@project.command()
@click.argument("name")
@click.pass_obj
def disable(session: Session, name: str) -> None:
    """Let nobody work in the project NAME; its servers go on, its tokens end."""
    session.check_own_accounts()
    session.run(_enable, name, False)
    click.echo(f"project {name} is disabled")


@project.command()
@click.argument("name")
@click.pass_obj
def enable(session: Session, name: str) -> None:
    """Let users work in the project NAME again."""
    session.check_own_accounts()
    session.run(_enable, name, True)
    click.echo(f"project {name} is enabled")


def _enable(txn: Transaction, name: str, enabled: bool) -> None:
    found = users.project(txn, None, name)
    if found is None:
        raise NotFound(f"there is no project named {name!r}")
    users.change_project(txn, evolve(found, enabled=enabled))
