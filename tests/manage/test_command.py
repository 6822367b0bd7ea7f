"""``snf-manage`` as operators call it, with a real PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path

from attrs import frozen
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.trial.unittest import SynchronousTestCase

from snf.testing.postgres import fresh_dsn

ROOT = Path(__file__).parents[2]

# Nothing listens at a port that only root could have taken, and nobody has.
_NOBODY = "https://127.0.0.1:1"


@frozen
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


class CommandTests(SynchronousTestCase):
    """The command line."""

    def setUp(self) -> None:
        given = parse_dsn(fresh_dsn(self))
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.secret = folder / "secret"
        self.secret.write_text("secret\n")
        self.config = folder / "cyclades.toml"
        # A password has no place in the file; libpq takes it from the environment.
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if "password" in given:
            self.environment["PGPASSWORD"] = given.pop("password")
        self.dsn = make_dsn("", **given)
        self._configure(self.dsn)

    def _configure(self, dsn: str) -> None:
        self.config.write_text(
            f"[database]\ndsn = {json.dumps(dsn)}\n[broker]\nurl = 'memory:'\n"
        )

    def manage(self, *arguments: str) -> Said:
        """Return what the command says."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snf.manage.command"),
                *("--config", str(self.config), *arguments),
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def add_cluster(self, name: str) -> Said:
        """Add a cluster that nobody answers for."""
        given = ("--user", "u", "--password-file", str(self.secret), "--tls", "verify")
        return self.manage("cluster", "add", name, _NOBODY, *given)

    def test_clusters(self):
        """A cluster that was added is listed; a second one of its name is refused."""
        self.assertEqual(0, self.add_cluster("one").code)
        [shown] = json.loads(self.manage("cluster", "list", "--json").out)
        self.assertEqual(("one", _NOBODY), (shown["name"], shown["url"]))
        again = self.add_cluster("one")
        self.assertEqual(1, again.code)
        self.assertEqual(1, again.err.count("\n"))

    def test_cluster_away(self):
        """One that cannot be asked is told of in one line, and the rest is shown."""
        self.add_cluster("one")
        said = self.manage("reconcile", "--json")
        self.assertEqual(1, said.code)
        self.assertEqual([], json.loads(said.out))
        self.assertIn("cluster one", said.err)
        self.assertEqual(1, said.err.count("\n"), said.err)

    def test_database_away(self):
        """Whatever is asked of a database that is not there, the answer is a line."""
        self._configure(make_dsn(self.dsn, dbname="there_is_none"))
        for arguments in (("cluster", "list"), ("reconcile",), ("migrate",)):
            said = self.manage(*arguments)
            self.assertEqual((1, ""), (said.code, said.out))
            self.assertTrue(said.err.startswith("snf-manage: "), said.err)
            self.assertEqual(1, said.err.count("\n"), said.err)

    def test_nothing_to_do(self):
        """A new cloud has no orders, and a schema that is up to date."""
        self.assertEqual("[]", self.manage("order", "list", "--json").out.strip())
        self.assertEqual("the schema is up to date\n", self.manage("migrate").out)
