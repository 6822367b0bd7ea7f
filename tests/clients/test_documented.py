"""What docs/clients.md tells people to write."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
PINS = PAGE.parents[1] / "requirements.txt"


class DocumentedTests(ClientTestCase):
    """The page, with this demo's address and password put in."""

    def snippet(self, name: str) -> str:
        """Return what stands below a mark of the page."""
        text = PAGE.read_text("utf-8")
        [found] = re.findall(rf"<!-- {name} -->\n```\w+\n(.*?)```", text, re.DOTALL)
        filled = found.replace("http://127.0.0.1:8774", self.root)
        return filled.replace("PASSWORD", self.password())

    async def test_clouds(self) -> None:
        """``openstack`` logs in by the ``clouds.yaml``."""
        await self.together(self.clouds, (None,))

    def clouds(self, way: None) -> None:
        """List flavors by it."""
        path = Path(self.mktemp()).absolute()
        path.write_text(self.snippet("clouds.yaml"))
        self.assertIn("cyclades", yaml.safe_load(path.read_text())["clouds"])
        environment = {
            "PATH": "/usr/bin",
            "HOME": "/nonexistent",
            "OS_CLIENT_CONFIG_FILE": str(path),
        }
        client = Program("openstack", environment, ("--os-cloud", "cyclades"))
        self.assertTrue(client.json("flavor list"))

    async def test_libcloud(self) -> None:
        """The driver that is made there lists sizes."""
        await self.together(self.libcloud, (None,))

    def libcloud(self, way: None) -> None:
        """Make it."""
        names: dict[str, Any] = {}
        exec(compile(self.snippet("libcloud"), str(PAGE), "exec"), names)
        sizes = [one.name for one in names["driver"].list_sizes()]
        self.assertIn("m1.tiny", sizes)

    def test_versions(self) -> None:
        """The versions in its table are those that are installed for tests."""
        pins = dict(
            line.split("==") for line in PINS.read_text().split("\n") if "==" in line
        )
        text = PAGE.read_text("utf-8")
        for package, row in (
            ("python-openstackclient", "`openstack` (python-openstackclient)"),
            ("openstacksdk", "openstacksdk, cloud layer"),
            ("python-novaclient", "`nova` (python-novaclient)"),
            ("apache-libcloud", "apache-libcloud"),
        ):
            self.assertIn(f"| {row} | {pins[package]} |", text)
