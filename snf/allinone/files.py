"""Files of the state directory: written whole or not at all, secrets for few eyes."""

import os
import pwd
import secrets
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o644, owner: str | None = None) -> None:
    """Write a file, never readable to more than ``mode`` says; None is the caller."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.chmod(mode)
    if owner is not None:
        give(fresh, owner)
    fresh.replace(path)


def give(path: Path, owner: str) -> None:
    """Make a file or directory a user's own, and of the user's first group."""
    account = pwd.getpwnam(owner)
    os.chown(path, account.pw_uid, account.pw_gid)


def password(path: Path) -> str:
    """Return what a secret's file holds; a new random one is made at first.

    It is readable to the caller alone; where that is root through sudo, also to the
    user who called sudo, if the file is one of a cloud user (``user-NAME``).
    """
    if not path.exists():
        write(path, secrets.token_hex(16) + "\n", 0o600)
        caller = os.environ.get("SUDO_UID", "")
        if path.name.startswith("user-") and os.getuid() == 0 and caller.isdigit():
            os.chown(path, int(caller), -1)
    return path.read_text().strip()
