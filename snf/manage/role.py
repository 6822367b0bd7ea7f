"""``snf-manage role``: who may do what where."""

import click

from snf.core.errors import NotFound
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import grants, users
from snf.storage.database import Transaction
from snf.storage.grants import Assignment


@click.group()
@click.pass_obj
def role(session: Session) -> None:
    """The roles that users and groups have in projects."""
    session.check_own_accounts()


@role.command("list")
@click.option("--project", help="Those in this project only.")
@click.option("--effective", is_flag=True, help="Each user of a group by itself.")
@as_json
@click.pass_obj
def listing(session: Session, project: str | None, effective: bool, json: bool) -> None:
    """List them."""

    def read(txn: Transaction) -> list[Assignment]:
        where = None
        if project is not None:
            found = users.project(txn, None, project)
            if found is None:
                raise NotFound(f"there is no project named {project!r}")
            where = found.id
        return grants.listing(txn, grants.Wanted(project=where, effective=effective))

    show(
        ("project", "role", "of", "name"),
        [
            (
                one.project_name,
                one.role.value,
                "group" if one.user is None else "user",
                one.name,
            )
            for one in session.run(read)
        ],
        json,
    )
