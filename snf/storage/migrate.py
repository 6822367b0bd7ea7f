"""The schema's versions: numbered files that are applied once, forward only."""

from collections.abc import Mapping
from importlib.resources import files

from snf.storage.database import Transaction


class WrongSchema(Exception):
    """The database's schema is not the one this code was written for."""


def versions() -> Mapping[int, str]:
    """Return the SQL of every version by its number."""
    folder = files("snf.storage") / "schema"
    return {
        int(file.name.removesuffix(".sql")): file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }


def migrate(txn: Transaction) -> list[int]:
    """
    Bring the schema up to date and return the versions that were applied.

    Several processes may do it at the same time: one does the work.

    :raises WrongSchema: The database is newer than this code.
    """
    txn.execute("SELECT pg_advisory_xact_lock(7266831)")
    txn.execute(
        "CREATE TABLE IF NOT EXISTS schema_version"
        " (number integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
    )
    present = _present(txn)
    _check_not_newer(present)
    applied = []
    for number, sql in versions().items():
        if number not in present:
            txn.execute(sql)
            txn.execute("INSERT INTO schema_version (number) VALUES (%s)", (number,))
            applied.append(number)
    return applied


def check(txn: Transaction) -> None:
    """
    Return if the schema is the one this code was written for.

    :raises WrongSchema: It is older or newer.
    """
    present = _present(txn)
    _check_not_newer(present)
    if not present >= versions().keys():
        raise WrongSchema(
            f"the database's schema is at version {max(present, default=0)}, this "
            f"program needs {max(versions())}: run snf-manage migrate"
        )


def _check_not_newer(present: set[int]) -> None:
    newest = max(present, default=0)
    if newest > max(versions()):
        raise WrongSchema(
            f"the database's schema is at version {newest}, this program knows only "
            f"{max(versions())}: install the newer program"
        )


def _present(txn: Transaction) -> set[int]:
    # What is missing between others counts as missing: versions are made side by side.

    # Only looks: a daemon's user need not be allowed to make tables.
    txn.execute("SELECT to_regclass('schema_version') IS NOT NULL")
    if txn.fetchone() != (True,):
        return set()
    txn.execute("SELECT number FROM schema_version")
    return {number for (number,) in txn.fetchall()}
