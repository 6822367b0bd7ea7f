"""Finding the job files that changed since a time, a few at a time."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"job-([0-9]{1,18})")
_CHUNK = 20


def jobs_changed_since(directory: Path, since: float) -> Iterator[int | None]:
    """
    Yield the jobs in the queue, then in its archive, whose files are not older.

    None is yielded after a few that are: each step takes well under a millisecond.  A
    job that is archived meanwhile is found, perhaps twice.

    :param since: Seconds since the epoch, by the files' times of modification.
    """
    yield from _files(directory, since)
    for folder in _folders(directory / "archive"):
        yield from _files(folder, since)


def _files(directory: Path, since: float) -> Iterator[int | None]:
    try:
        entries = os.scandir(directory)
    except OSError:
        return
    with entries:
        for number, entry in enumerate(entries):
            match = _NAME.fullmatch(entry.name)
            if match and _changed(entry, since):
                yield int(match[1])
            elif number % _CHUNK == 0:
                yield None


def _changed(entry: "os.DirEntry[str]", since: float) -> bool:
    try:
        return entry.stat().st_mtime >= since
    except OSError:
        return False


def _folders(archive: Path) -> list[Path]:
    try:
        with os.scandir(archive) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError:
        return []
