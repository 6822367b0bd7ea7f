"""What is in the files that the configuration names, read before anything starts."""

from pathlib import Path

from attrs import field, frozen

from snf.config import Cyclades, secret


@frozen
class Secrets:
    """The passwords, and the key of the graphs; None where there is none."""

    database: str | None = field(default=None, repr=False)
    keystone: str | None = field(default=None, repr=False)
    stats: str | None = field(default=None, repr=False)


def read_secrets(settings: Cyclades) -> Secrets:
    """
    Return what the files hold.

    :raises ConfigError: One cannot be read or is empty.
    """
    stats = settings.stats
    return Secrets(
        database=_held(settings.database.password_file),
        keystone=_held(settings.keystone.password_file),
        stats=_held(stats.secret_file) if stats.url else None,
    )


def _held(path: Path | None) -> str | None:
    return None if path is None else secret(path)
