"""Files of Debian's packages, without installing these."""

import re
from collections.abc import Sequence
from pathlib import Path

from snf.allinone.failure import Failure
from snf.allinone.process import run

# Downloading as the unprivileged _apt would need a directory open to it.
_DOWNLOAD = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download")
_NEEDED_ONLY = (
    *("--recurse", "--no-recommends", "--no-suggests", "--no-enhances"),
    *("--no-conflicts", "--no-breaks", "--no-replaces"),
)


def real(name: str, log: Path) -> str:
    """
    Return the package behind one that names the newest of a kind.

    :raises Failure: apt knows none.
    """
    depends = run(["apt-cache", "depends", name], log, f"looking for {name}")
    found = re.search(rf"Depends: ({re.escape(name.split('-')[0])}-\S+)", depends)
    if found is None:
        raise Failure(f"apt knows no {name}: apt-get update", log)
    return found[1]


def needed(names: Sequence[str], log: Path) -> list[str]:
    """Return packages with all that they depend on, and these."""
    command = ["apt-cache", "depends", *_NEEDED_ONLY, *names]
    listed = run(command, log, f"looking for {', '.join(names)}").splitlines()
    # Names begin their lines; virtual ones are in <>, other architectures' have a colon.
    return sorted({line for line in listed if re.fullmatch(r"[a-z0-9][^ :]+", line)})


def unpack(names: Sequence[str], directory: Path, log: Path) -> None:
    """
    Download packages and put their files below a directory.

    :raises Failure: One cannot be downloaded or unpacked.
    """
    run(
        [*_DOWNLOAD, *names],
        log,
        f"downloading {', '.join(names)}",
        timeout_s=300,
        directory=directory,
    )
    for package in sorted(directory.glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(directory)], log, "unpacking")
        package.unlink()
