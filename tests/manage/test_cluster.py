"""``snf-manage cluster``."""

import json
from typing import Any

from tests.manage.case import ManageTestCase


class SetTests(ManageTestCase):
    """What a cluster is used for."""

    def setUp(self) -> None:
        super().setUp()
        said = self.manage(
            *("cluster", "add", "g.test", "https://g.test:5080", "--user", "u"),
            *("--password-file", str(self.secret)),
        )
        self.assertEqual(0, said.code, said.err)

    def shown(self) -> dict[str, Any]:
        """Return what is shown of the cluster."""
        [one] = json.loads(self.manage("cluster", "list", "--json").out)
        return one

    def set(self, *options: str) -> tuple[bool, bool]:
        """Set something; return whether it is drained and offline."""
        said = self.manage("cluster", "set", "g.test", *options)
        self.assertEqual(0, said.code, said.err)
        shown = self.shown()
        return shown["drained"], shown["offline"]

    def test_use(self):
        """What is named is set, the rest stays as it was."""
        self.assertEqual((True, False), self.set("--drained"))
        self.assertEqual((True, True), self.set("--offline"))
        self.assertEqual((False, True), self.set("--no-drained"))
        self.assertEqual((False, True), self.set())
        self.assertEqual((False, False), self.set("--no-offline"))

    def test_kept(self):
        """It can be kept for projects, and for nobody again."""
        for name in ("web", "db"):
            self.manage("project", "create", name)
        self.set("--project", "web", "--project", "db")
        self.assertEqual(["db", "web"], self.shown()["kept for"])
        self.set("--drained")
        self.assertEqual(["db", "web"], self.shown()["kept for"])
        self.set("--project", "db")
        self.assertEqual(["db"], self.shown()["kept for"])
        self.set("--all-projects")
        self.assertEqual([], self.shown()["kept for"])

    def test_refused(self):
        """A cluster or a project that is not there; nothing is set then."""
        for arguments, word in (
            (("h.test", "--drained"), "h.test"),
            (("g.test", "--drained", "--project", "nobody"), "nobody"),
            (("g.test", "--project", "x", "--all-projects"), "--all-projects"),
        ):
            said = self.manage("cluster", "set", *arguments)
            self.assertEqual((1, ""), (said.code, said.out))
            self.assertIn(word, said.err)
        self.assertEqual(
            (False, []), (self.shown()["drained"], self.shown()["kept for"])
        )
