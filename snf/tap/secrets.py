"""What is in the files that the configuration names, read before anything starts."""

from pathlib import Path

from attrs import field, frozen

from snf.config import Cyclades, secret


@frozen
class Secrets:
    """The passwords; None where there is none."""

    database: str | None = field(default=None, repr=False)
    keystone: str | None = field(default=None, repr=False)


def read_secrets(settings: Cyclades) -> Secrets:
    """
    Return what the files hold.

    :raises ConfigError: One cannot be read or is empty.
    """
    return Secrets(
        _held(settings.database.password_file), _held(settings.keystone.password_file)
    )


def _held(path: Path | None) -> str | None:
    return None if path is None else secret(path)
