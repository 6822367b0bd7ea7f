"""``vncauthproxy-passwd``: who may ask vncauthproxy for forwardings."""

import os
import sys
import tempfile
from pathlib import Path

import click

from snf.console import crypt
from snf.console.users import NAME


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-n", "--dry-run", is_flag=True, help="Print the file, and write nothing."
)
@click.option("-d", "--delete", is_flag=True, help="Remove the user.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("user")
def main(file: Path, user: str, dry_run: bool, delete: bool) -> None:
    """
    Set the password of a USER in a FILE, or remove the user.

    The password is asked for, or read from standard input if that is no terminal.
    """
    if not NAME.fullmatch(user):
        raise click.UsageError(
            "a user's name has up to 31 small letters, digits and _, no digit first"
        )
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if line.partition(":")[0] != user]
    if not delete:
        kept.append(f"{user}:{crypt.digest(_password())}")
    elif len(kept) == len(lines):
        raise click.ClickException(f"{file}: there is no user {user}")
    text = "".join(f"{line}\n" for line in kept)
    if dry_run:
        click.echo(text, nl=False)
        return
    try:
        _replace(file, text)
    except OSError as failure:
        raise click.ClickException(f"{file}: {failure.strerror}") from None


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True
        )
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise click.ClickException("the password is empty")
    return password


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all, with the owner and rights of the one before."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as new:
        try:
            new.write(text)
            new.flush()
            if file.exists():
                before = file.stat()
                os.fchown(new.fileno(), before.st_uid, before.st_gid)
                os.fchmod(new.fileno(), before.st_mode & 0o777)
            os.fsync(new.fileno())
            os.replace(new.name, file)
        except OSError:
            os.unlink(new.name)
            raise


if __name__ == "__main__":
    main()
