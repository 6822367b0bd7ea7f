"""``snf-manage`` as operators call it, with a real PostgreSQL."""

import json

from psycopg2.extensions import make_dsn

from tests.manage.case import ManageTestCase, Said

# Nothing listens at a port that only root could have taken, and nobody has.
_NOBODY = "https://127.0.0.1:1"


class CommandTests(ManageTestCase):
    """The command line."""

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
        self.configure(make_dsn(self.dsn, dbname="there_is_none"))
        for arguments in (("cluster", "list"), ("reconcile",), ("migrate",)):
            said = self.manage(*arguments)
            self.assertEqual((1, ""), (said.code, said.out))
            self.assertTrue(said.err.startswith("snf-manage: "), said.err)
            self.assertEqual(1, said.err.count("\n"), said.err)

    def test_nothing_to_do(self):
        """A new cloud has no orders, and a schema that is up to date."""
        self.assertEqual("[]", self.manage("order", "list", "--json").out.strip())
        self.assertEqual("the schema is up to date\n", self.manage("migrate").out)
