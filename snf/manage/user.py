"""``snf-manage user``: who can log in, and what they may do where."""

import secrets
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import click
from attrs import evolve

from snf.config import secret
from snf.core.errors import NotFound
from snf.core.identity import Role, User
from snf.core.passwords import digest
from snf.manage import names
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import grants, users
from snf.storage.database import Transaction
from snf.storage.grants import Holder

# Never as an argument: those can be read by everybody on the machine.
_password = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file that holds the password; without it, it is asked for.",
)

_role = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.MEMBER.value,
    show_default=True,
)


@click.group()
@click.pass_obj
def user(session: Session) -> None:
    """Who can log in."""
    session.check_own_accounts()


@user.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List them, with their roles."""
    show(
        ("id", "name", "enabled", "roles"),
        [
            (
                one.id,
                one.name,
                one.enabled,
                [
                    f"{role} of {project}"
                    for project, roles in sorted(held.items())
                    for role in roles
                ],
            )
            for one, held in session.run(users.overview)
        ],
        json,
    )


@user.command()
@click.argument("name")
@click.option("--project", required=True, help="The project to log in to by default.")
@_role
@_password
@click.pass_obj
def create(
    session: Session, name: str, project: str, role: str, password_file: Path | None
) -> None:
    """Make the user NAME, with a role in a project."""
    kept = _digest(password_file)

    def make(txn: Transaction) -> User:
        home = names.project(txn, project)
        made = User(uuid4(), name, default_project=home.id)
        users.add_user(txn, made, kept)
        users.assign(txn, made.id, home.id, Role(role))
        return made

    click.echo(f"user {name} has the id {session.run(make).id}")


@user.command()
@click.argument("name")
@click.argument("project")
@_role
@click.pass_obj
def assign(session: Session, name: str, project: str, role: str) -> None:
    """Give the user NAME a role in PROJECT."""

    def give(txn: Transaction) -> None:
        users.assign(
            txn, names.user(txn, name).id, names.project(txn, project).id, Role(role)
        )

    session.run(give)
    click.echo(f"user {name} is {role} of {project}")


@user.command("set-password")
@click.argument("name")
@_password
@click.pass_obj
def set_password(session: Session, name: str, password_file: Path | None) -> None:
    """Give the user NAME another password; all tokens of the user end."""
    kept = _digest(password_file)
    session.run(lambda txn: users.set_password(txn, names.user(txn, name).id, kept))
    click.echo(f"user {name} has another password")


@user.command()
@click.argument("name")
@click.argument("project")
@_role
@click.pass_obj
def revoke(session: Session, name: str, project: str, role: str) -> None:
    """Take a role in PROJECT from the user NAME, which ends the tokens for it."""

    def take(txn: Transaction) -> None:
        who, where = names.user(txn, name), names.project(txn, project)
        if not grants.take(txn, Holder.USER, who.id, where.id, Role(role)):
            raise NotFound(f"user {name} is not {role} of {project} (but by a group)")

    session.run(take)
    click.echo(f"user {name} is no {role} of {project} any more")


@user.command()
@click.argument("name")
@click.pass_obj
def disable(session: Session, name: str) -> None:
    """Let the user NAME in no more; all tokens of the user end."""
    session.run(_enable, name, False)
    click.echo(f"user {name} is disabled")


@user.command()
@click.argument("name")
@click.pass_obj
def enable(session: Session, name: str) -> None:
    """Let the user NAME in again."""
    session.run(_enable, name, True)
    click.echo(f"user {name} is enabled")


def _enable(txn: Transaction, name: str, enabled: bool) -> None:
    users.change_user(txn, evolve(names.user(txn, name), enabled=enabled))


def _digest(password_file: Path | None) -> str:
    if password_file is not None:
        password = secret(password_file)
    else:
        ask: Callable[..., str] = click.prompt
        password = ask("Password", hide_input=True, confirmation_prompt=True)
    return digest(password, secrets.token_bytes(16))
