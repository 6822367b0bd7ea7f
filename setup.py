"""What pyproject.toml does not say: files that are found by looking.

The plugin file belongs to a package that is Twisted's, so no search for packages may
find it.  What is installed on Ganeti's nodes, and the sample configuration, are for
programs other than Python: they go to ``share/cyclades``, laid out as here.
"""

from pathlib import Path

from setuptools import setup

SHARE = Path("share/cyclades")


def shared(*tops: str) -> list[tuple[str, list[str]]]:
    """Return the files below directories of the checkout, by where they go."""
    folders: dict[str, list[str]] = {}
    for top in tops:
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                folders.setdefault(str(SHARE / path.parent), []).append(str(path))
    return sorted(folders.items())


setup(
    py_modules=["twisted.plugins.snf_plugins"],
    data_files=shared("etc", "ganeti"),
)
