"""The documentation says what the code does."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import attrs
from twisted.trial.unittest import SynchronousTestCase

from snf import config
from snf.nfdhcpd.settings import Nfdhcpd
from snf.noded.config import Noded

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

# Below which headings of configure.md the tables of which file are.
_FILES: dict[str, tuple[type, ...]] = {
    "cyclades.toml": (config.Cyclades,),
    "cyclades.toml of the demo": (config.Demo, config.Cyclades),
    "eventd.toml": (config.Eventd,),
    "nfdhcpd.toml": (Nfdhcpd,),
    "noded.toml": (Noded,),
}


def written(text: str) -> dict[tuple[str, str, str], str]:
    """Return the defaults in configure.md by the file's heading, the table, the key."""
    found = {}
    file = table = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"## (.+)", line):
            file, table = match[1], ""
        elif match := re.fullmatch(r"### `\[(\w+)\]`", line):
            table = match[1]
        elif table and (match := re.match(r"\| `(\w+)` \| (.+?) \| .+ \|$", line)):
            found[file, table, match[1]] = match[2]
    return found


def keys(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the tables of a configuration's class, their keys and defaults."""
    for table, settings in get_type_hints(kind).items():
        for field in attrs.fields(settings):
            yield table, field.name, default(field.default)


def default(value: Any) -> str:
    """Return a default as it is to be written."""
    if value is attrs.NOTHING:
        return "needed"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "`[" + ", ".join(default(item).strip("`") for item in value) + "]`"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


class ConfigureTests(SynchronousTestCase):
    """``docs/configure.md``."""

    def test_every_key(self):
        """It has every key of every table with its default, and no others."""
        expected = {}
        for heading, (kind, *without) in _FILES.items():
            left_out = {key for other in without for key in get_type_hints(other)}
            for table, key, value in keys(kind):
                if table not in left_out:
                    expected[heading, table, key] = value
        text = (DOCS / "configure.md").read_text("utf-8")
        self.assertEqual(expected, written(text))


class LinkTests(SynchronousTestCase):
    """Links between the pages."""

    def test_targets(self):
        """Every relative link leads to a file, and to a heading that is in it."""
        pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for page in pages:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
                if "://" in target:
                    continue
                path, _, anchor = target.partition("#")
                there = (page.parent / path).resolve() if path else page
                where = f"{page.relative_to(ROOT)}: {target}"
                self.assertTrue(there.exists(), where)
                if anchor:
                    self.assertIn(anchor, _anchors(there.read_text("utf-8")), where)

    def test_every_decision_is_listed(self):
        """The index names every page there is."""
        index = (DOCS / "index.md").read_text("utf-8")
        for page in DOCS.rglob("*.md"):
            if page.name != "index.md":
                self.assertIn(f"({page.relative_to(DOCS)})", index)


def _anchors(text: str) -> set[str]:
    """Return what headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


class DevelopTests(SynchronousTestCase):
    """``docs/develop.md``."""

    def test_layout(self):
        """Each part of the program has its line."""
        text = (DOCS / "develop.md").read_text("utf-8")
        for path in (ROOT / "snf").iterdir():
            if not path.name.startswith("__"):
                name = f"snf/{path.name}/" if path.is_dir() else f"snf/{path.name}"
                self.assertIn(f"| `{name}` |", text)


class PyprojectTests(SynchronousTestCase):
    """``pyproject.toml``."""

    def test_constraints(self):
        """Every requirement has an exact version in requirements.txt."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        project = settings["project"]
        wanted = [*project["dependencies"]]
        for extra in project["optional-dependencies"].values():
            wanted += extra
        lines = (ROOT / "requirements.txt").read_text("utf-8").lower().splitlines()
        pinned = {line.partition("==")[0].replace("_", "-") for line in lines}
        for requirement in wanted:
            name = re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")
            self.assertIn(name, pinned)
