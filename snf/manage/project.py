"""``snf-manage project``: who owns servers."""

from uuid import uuid4

import click

from snf.core.identity import Project
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import users


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
    made = Project(uuid4(), name, description)
    session.run(users.add_project, made)
    click.echo(f"project {name} has the id {made.id}")
