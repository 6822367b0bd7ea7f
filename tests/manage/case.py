"""The command ``snf-manage`` over a database of the test's own."""

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


@frozen
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


class ManageTestCase(SynchronousTestCase):
    """A test with a database of its own, and the command."""

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
        self.configure(self.dsn)

    def configure(self, dsn: str) -> None:
        """Have the command use a database."""
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
