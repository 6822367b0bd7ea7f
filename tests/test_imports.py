"""Which parts of ``snf`` may import which: arrows point one way only."""

import ast
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]

# What each part may import of the others.  A part that is not here may not be.
MAY_IMPORT = {
    "toml": set(),
    "config": {"toml"},
    "core": set(),
    "trust": set(),
    "http": set(),
    "unix_socket": set(),
    "flights": set(),
    "storage": {"core"},
    "rapi": {"core", "trust", "http"},
    "keystone": {"core", "trust", "http", "flights"},
    "bus": {"core", "trust"},
    "images": {"core", "storage"},
    "console": {"trust"},
    "api": {"core", "storage", "images", "console"},
    "logic": {"core", "storage", "rapi", "bus"},
    "descriptor": set(),
    "watch": {"descriptor"},
    "eventd": {"core", "bus", "watch"},
    "privileges": set(),
    "nfdhcpd": {"toml", "watch", "descriptor", "privileges"},
    "serial": {"core", "watch", "unix_socket"},
    "nodes": {"core", "storage", "rapi", "console", "trust", "http"},
    "noded": {
        "core",
        "serial",
        "toml",
        "trust",
        "http",
        "flights",
        "watch",
        "privileges",
    },
    # Its `reconcile` levels by hand what the reconciler levels by itself.
    "manage": {"core", "storage", "rapi", "logic", "config"},
    "tap": {
        "core",
        "storage",
        "rapi",
        "keystone",
        "bus",
        "api",
        "images",
        "console",
        "logic",
        "eventd",
        "nfdhcpd",
        "noded",
        "nodes",
        "privileges",
        "config",
        "trust",
        "unix_socket",
    },
    "allinone": {"core", "storage", "images"},
    "testing": {
        "core",
        "storage",
        "rapi",
        "keystone",
        "bus",
        "eventd",
        "serial",
        "noded",
    },
}

# Those who are handed a table of the settings and name its type.
TAKE_SETTINGS = {
    "snf.api.parts",
    "snf.bus.connect",
    "snf.eventd.service",
    "snf.logic.submitter",
    "snf.testing.simulation",
}

# Those who run what is made for tests on purpose.
RUN_FAKES = {"snf.tap.demo", "snf.allinone.demo"}

# What nothing that is pure has any use for.
IMPURE = {
    "twisted",
    "klein",
    "treq",
    "pika",
    "psycopg2",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "subprocess",
    "threading",
}


class ImportTests(SynchronousTestCase):
    """What the source of each module says."""

    def test_directions(self) -> None:
        """No part imports one that it may not."""
        wrong = [
            f"{module} imports {imported}"
            for module, imported, _ in _imports()
            if not _may(module, imported)
        ]
        self.assertEqual([], wrong)

    def test_every_part_is_known(self) -> None:
        """A new part of snf needs a line in the table."""
        parts = {_part(module) for module in _modules() if module != "snf"}
        self.assertEqual(set(), parts - set(MAY_IMPORT))

    def test_exceptions_are_needed(self) -> None:
        """No exception stays when nobody needs it any more."""
        taken = {m for m, imported, _ in _imports() if _part(imported) == "config"}
        self.assertEqual(set(), TAKE_SETTINGS - taken)

    def test_core_is_pure(self) -> None:
        """The core knows no clock, no chance, no environment and no framework."""
        wrong = [
            f"{module} imports {imported}"
            for module, imported, _ in _imports()
            if _part(module) == "core" and imported.split(".")[0] in IMPURE
        ]
        self.assertEqual([], wrong)

    def test_reactor(self) -> None:
        """The reactor is imported in the functions of tap that start a daemon only."""
        wrong = [
            module
            for module, imported, inside in _imports()
            if imported == "twisted.internet.reactor"
            and not (_part(module) == "tap" and inside)
        ]
        self.assertEqual([], wrong)

    def test_plugin(self) -> None:
        """What twistd reads to list its plugins imports nothing of ours."""
        path = ROOT / "twisted" / "plugins" / "snf_plugins.py"
        names = [name for name, _ in _imported(ast.parse(path.read_text("utf-8")))]
        self.assertEqual([], [name for name in names if name.split(".")[0] == "snf"])

    def test_no_package_above_the_plugin(self) -> None:
        """An __init__.py there would hide Twisted, or its other plugins."""
        for folder in ("twisted", "twisted/plugins"):
            self.assertFalse((ROOT / folder / "__init__.py").exists())


def _may(module: str, imported: str) -> bool:
    if imported.split(".")[0] != "snf":
        return True
    part, other = _part(module), _part(imported)
    if part == other or other in MAY_IMPORT.get(part, ()):
        return True
    if other == "config":
        return module in TAKE_SETTINGS
    return other == "testing" and module in RUN_FAKES


def _part(module: str) -> str:
    """Return the part of snf that a module belongs to; empty for what is not ours."""
    names = module.split(".")
    return names[1] if names[0] == "snf" and len(names) > 1 else ""


def _modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted((ROOT / "snf").rglob("*.py"))
    }


def _imports() -> Iterable[tuple[str, str, bool]]:
    """Return every import of snf: who, what, and whether inside a function."""
    for module, path in _modules().items():
        for name, inside in _imported(ast.parse(path.read_text("utf-8"))):
            yield module, name, inside


def _imported(tree: ast.AST, inside: bool = False) -> Iterable[tuple[str, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from snf import x` imports the part x.
            if node.level:
                raise AssertionError(f"a relative import: {ast.unparse(node)}")
            yield from ((f"{node.module}.{alias.name}", inside) for alias in node.names)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imported(node, inside or function)
