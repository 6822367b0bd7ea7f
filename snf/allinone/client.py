"""The client ``openstack``, for shells of machines that have none.

It is installed beside our own programs, in the checkout's virtual environment.  A
directory that holds a link to it, and nothing else, goes to the end of a shell's
search path: whatever else the shell finds comes first, a client of the user's own too.
"""

import shlex
import sys
from pathlib import Path

NAME = "openstack"


def link(directory: Path) -> None:
    """Make the directory, with the link; a link to another place is replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    program = Path(sys.executable).with_name(NAME)
    known = directory / NAME
    if known.is_symlink() and known.readlink() == program:
        return
    fresh = directory / f".{NAME}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(program)
    fresh.replace(known)


def search_path(directory: Path) -> str:
    """Return a shell command that adds the directory to the search path, once."""
    quoted = shlex.quote(str(directory))
    return (
        f'case ":$PATH:" in *:{quoted}:*) ;; *) export PATH="$PATH":{quoted} ;; esac\n'
    )
