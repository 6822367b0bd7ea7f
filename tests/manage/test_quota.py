"""``snf-manage quota``."""

import json
from typing import Any

from tests.manage.case import ManageTestCase


class QuotaTests(ManageTestCase):
    """What projects may have."""

    def shown(self) -> dict[str, Any]:
        """Return what is shown of the project, by resource."""
        said = self.manage("quota", "show", "web", "--json")
        self.assertEqual(0, said.code, said.err)
        return {one.pop("resource"): one for one in json.loads(said.out)}

    def test_set(self):
        """What is set counts, the rest is the configuration's; --defaults undoes it."""
        self.config.write_text(self.config.read_text() + "[quota]\ninstances = 5\n")
        self.manage("project", "create", "web")
        default = {"used": 0, "limit": 5, "set here": False}
        self.assertEqual(default, self.shown()["instances"])
        self.manage("quota", "set", "web", "--instances", "3", "--ram-mib", "64")
        shown = self.shown()
        self.assertEqual((3, True), tuple(shown["instances"].values())[1:])
        self.assertEqual((64, True), tuple(shown["ram_mib"].values())[1:])
        self.assertEqual((-1, False), tuple(shown["cores"].values())[1:])
        self.manage("quota", "set", "web", "--defaults", "--cores", "2")
        shown = self.shown()
        self.assertEqual(default, shown["instances"])
        self.assertEqual(2, shown["cores"]["limit"])

    def test_refused(self):
        """A project that is not there, and a limit that is none."""
        for arguments in (("show", "web"), ("set", "web", "--cores", "1")):
            said = self.manage("quota", *arguments)
            self.assertEqual((1, ""), (said.code, said.out))
            self.assertIn("web", said.err)
        self.manage("project", "create", "web")
        for limit in ("-2", "x", "2147483648"):
            self.assertNotEqual(
                0, self.manage("quota", "set", "web", "--cores", limit).code
            )

    def test_recount(self):
        """It says that all is right, where it is."""
        said = self.manage("quota", "recount")
        self.assertEqual((0, "all was counted right\n"), (said.code, said.out))
