"""What an installation gets, as setuptools builds it from this checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]
_NOT_OURS = shutil.ignore_patterns(
    *(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info"),
    *("build", "dist", "_trial_temp*", "dropin.cache"),
    # What others wrote is not ours, and fetching it is a matter of its own.
    *("vendor", "vendor-tests"),
)


def files(directory: Path) -> set[str]:
    """Return the paths of all files below a directory, without what running leaves."""
    return {
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.name != "dropin.cache"
        and not {"vendor", "vendor-tests"}.intersection(path.parts)
    }


class PackagingTests(SynchronousTestCase):
    """Wheel and source distribution; nothing is fetched for building them."""

    def setUp(self) -> None:
        # A copy, since setuptools leaves things beside what it builds.
        self.source = Path(self.mktemp()).absolute()
        shutil.copytree(ROOT, self.source, symlinks=True, ignore=_NOT_OURS)

    def _setup(self, *commands: str) -> None:
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", *commands],
            cwd=self.source,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_installed(self):
        """All of our modules, the plugins, the schema; and the files for the nodes."""
        library, data = self.source / "L", self.source / "D"
        self._setup("build_py", "--build-lib", "L", "install_data", "-d", "D")
        wanted = {f"snf/{name}" for name in files(ROOT / "snf")}
        self.assertEqual({*wanted, "twisted/plugins/snf_plugins.py"}, files(library))
        self.assertIn("snf/storage/schema/0001.sql", wanted)
        shared = data / "share" / "cyclades"
        for top in ("etc", "ganeti", "ui"):
            self.assertEqual(files(ROOT / top), files(shared / top))
        for name in ("hooks/snf-ganeti-hook.py", "os/cyclades/create"):
            self.assertTrue(os.access(shared / "ganeti" / name, os.X_OK), name)

    def test_source(self):
        """The source distribution has what tests and builds need."""
        self._setup("sdist", "--formats=gztar", "-d", "dist")
        [archive] = (self.source / "dist").iterdir()
        with tarfile.open(archive) as tar:
            held = {name.partition("/")[2] for name in tar.getnames()}
        tops = (
            "snf",
            "tests",
            "docs",
            "etc",
            "ganeti",
            "twisted",
            "newsfragments",
            "ui",
        )
        for top in tops:
            ours = {f"{top}/{name}" for name in files(ROOT / top)}
            self.assertEqual(set(), ours - held)
        for name in ("cloud", "requirements.txt", "README.md", ".ci/run", "NEWS.md"):
            self.assertIn(name, held)
