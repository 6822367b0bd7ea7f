"""News fragments: each is found when a release's news are written."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[1]


class FragmentTests(SynchronousTestCase):
    """``newsfragments/``."""

    def test_names(self):
        """Each has a known type: one that has none would be passed over in silence."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        types = [one["directory"] for one in settings["tool"]["towncrier"]["type"]]
        form = re.compile(rf"\+?[a-z0-9-]+\.({'|'.join(types)})(\.md)?")
        for path in (ROOT / "newsfragments").iterdir():
            self.assertTrue(form.fullmatch(path.name), path.name)

    def test_draft(self):
        """The text of every fragment is in the news of the next release."""
        program = Path(sys.executable).with_name("towncrier")
        if not program.exists():
            raise SkipTest("towncrier is not installed: run ./cloud test")
        draft = subprocess.run(
            [str(program), "build", "--draft", "--version", "0.1.0"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        shown = " ".join(draft.split())
        for path in (ROOT / "newsfragments").iterdir():
            self.assertIn(" ".join(path.read_text("utf-8").split()), shown)
