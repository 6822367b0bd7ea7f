"""What pyproject.toml does not say: files that are found by looking.

The plugin file belongs to a package that is Twisted's, so no search for packages may
find it.  What is installed on Ganeti's nodes, and the sample configuration, are for
programs other than Python: they go to ``share/cyclades``, laid out as here.  So does the
console's page, with what others wrote for it: that is fetched when a wheel is made.
"""

import subprocess
import sys
from pathlib import Path

from setuptools import setup

SHARE = Path("share/cyclades")

_LEFT_OUT = {"__pycache__", "node_modules", "vendor-tests"}

if "bdist_wheel" in sys.argv and subprocess.call([sys.executable, "ui/vendor.py"]):
    sys.exit("setup.py: the console's page is not complete")


def shared(*tops: str) -> list[tuple[str, list[str]]]:
    """Return the files below directories of the checkout, by where they go."""
    folders: dict[str, list[str]] = {}
    for top in tops:
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and not _LEFT_OUT.intersection(path.parts):
                folders.setdefault(str(SHARE / path.parent), []).append(str(path))
    return sorted(folders.items())


setup(
    py_modules=["twisted.plugins.snf_plugins"],
    data_files=shared("etc", "ganeti", "ui"),
)
