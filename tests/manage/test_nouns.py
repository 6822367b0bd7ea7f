"""What an operator makes for users: projects, users, flavors, images, networks."""

import json

from tests.manage.case import ManageTestCase, Said


class NounTests(ManageTestCase):
    """Making things, and listing them."""

    def listed(self, noun: str) -> list[dict[str, object]]:
        """Return what a noun's list holds."""
        return json.loads(self.manage(noun, "list", "--json").out)

    def user(self, name: str, *options: str) -> Said:
        """Make a user whose password is in the file."""
        given = ("--password-file", str(self.secret), *options)
        return self.manage("user", "create", name, *given)

    def refused(self, said: Said, word: str) -> None:
        """The command has failed with one line that holds a word."""
        self.assertEqual((1, ""), (said.code, said.out))
        self.assertEqual(1, said.err.count("\n"), said.err)
        self.assertIn(word, said.err)

    def test_users(self):
        """A user of a project can be made, given more roles, and another password."""
        self.assertEqual(0, self.manage("project", "create", "web").code)
        self.manage("project", "create", "other", "--description", "the other one")
        self.assertEqual(
            ["other", "web"], [one["name"] for one in self.listed("project")]
        )
        self.assertEqual(0, self.user("alice", "--project", "web").code)
        self.manage("user", "assign", "alice", "other", "--role", "reader")
        [alice] = self.listed("user")
        self.assertEqual(["reader of other", "member of web"], alice["roles"])
        said = self.manage(
            "user", "set-password", "alice", "--password-file", str(self.secret)
        )
        self.assertEqual(0, said.code, said.err)

    def test_roles(self):
        """Roles are listed by project, and can be taken again."""
        for project in ("web", "other"):
            self.manage("project", "create", project)
        self.user("alice", "--project", "web")
        self.manage("user", "assign", "alice", "other", "--role", "reader")
        said = self.manage("role", "list", "--json", "--project", "other")
        expected = {"project": "other", "role": "reader", "of": "user", "name": "alice"}
        self.assertEqual([expected], json.loads(said.out))
        self.assertEqual(2, len(self.listed("role")))
        take = ("user", "revoke", "alice", "other", "--role", "reader")
        self.assertEqual(0, self.manage(*take).code)
        self.refused(self.manage(*take), "alice")
        self.assertEqual(1, len(self.listed("role")))
        self.refused(self.manage("role", "list", "--project", "x"), "x")

    def test_keystone(self):
        """Accounts that a Keystone keeps are not written here; the list stays."""
        with self.config.open("a") as file:
            file.write(
                "[keystone]\nauth_url = 'https://keystone.test/v3'\n"
                f"password_file = '{self.secret}'\n"
            )
        for command in (
            ("user", "list"),
            ("user", "create", "x", "--project", "y"),
            ("role", "list"),
            ("project", "create", "x"),
            ("project", "disable", "x"),
            ("project", "enable", "x"),
        ):
            said = self.manage(*command)
            self.assertEqual(1, said.code, command)
            self.assertIn("https://keystone.test/v3", said.err)
        self.assertEqual(0, self.manage("project", "list").code)

    def test_disabled(self):
        """Users and projects are disabled and enabled by their names."""
        self.manage("project", "create", "web")
        self.user("alice", "--project", "web")
        for noun, name in (("user", "alice"), ("project", "web")):
            for verb, enabled in (("disable", False), ("enable", True)):
                said = self.manage(noun, verb, name)
                self.assertEqual(0, said.code, said.err)
                [one] = self.listed(noun)
                self.assertEqual(enabled, one["enabled"])
            self.refused(self.manage(noun, "disable", "nobody"), "nobody")

    def test_wrong_users(self):
        """Names that are taken, or not there, are refused, and leave nothing behind."""
        self.refused(self.user("alice", "--project", "web"), "web")
        self.assertEqual([], self.listed("user"))
        self.manage("project", "create", "web")
        self.refused(self.manage("project", "create", "web"), "web")
        self.user("alice", "--project", "web")
        self.refused(self.user("alice", "--project", "web"), "alice")
        self.refused(self.manage("user", "assign", "bob", "web"), "bob")
        self.secret.unlink()
        self.refused(self.user("bob", "--project", "web"), str(self.secret))

    def test_flavors(self):
        """A flavor is made with its sizes; one name is had once."""
        size = ("--vcpus", "2", "--ram", "2048", "--disk", "20")
        make = ("flavor", "create", "m", *size, "--disk-template", "drbd")
        self.assertEqual(0, self.manage(*make).code)
        [made] = self.listed("flavor")
        self.assertEqual(
            (2, 2048, 20), (made["vcpus"], made["ram MiB"], made["disk GiB"])
        )
        self.refused(self.manage(*make), "m")

    def test_images(self):
        """An image is what an OS definition installs."""
        said = self.manage(
            *("image", "register", "debian", "--os", "debootstrap+default"),
            *("--property", "os=linux", "--os-parameter", "suite=bookworm"),
        )
        self.assertEqual(0, said.code, said.err)
        [made] = self.listed("image")
        self.assertEqual(("debian", "debootstrap+default"), (made["name"], made["os"]))
        self.refused(
            self.manage("image", "register", "x", "--os", "y", "--property", "z"),
            "--property",
        )

    def test_networks(self):
        """A network is made with a subnet; addresses must be in it."""
        make = ("network", "create", "lan", "--link", "br0", "--cidr", "192.0.2.0/24")
        pool = ("--pool", "192.0.2.10-192.0.2.20")
        for options, word in (
            (("--pool", "192.0.2.10"), "--pool"),
            (("--pool", "192.0.2.20-192.0.2.10"), "--pool"),
            (("--pool", "192.0.2.10-198.51.100.1"), "198.51.100.1"),
            ((*pool, "--gateway", "router"), "--gateway"),
            ((*pool, "--cidr", "192.0.2.1/24"), "--cidr"),
        ):
            self.refused(self.manage(*make, *options), word)
        self.assertEqual([], self.listed("network"))
        self.assertEqual(0, self.manage(*make, *pool, "--default").code)
        [made] = self.listed("network")
        self.assertEqual(
            ("lan", "br0", True), (made["name"], made["link"], made["default"])
        )
        self.refused(self.manage(*make, *pool), "lan")
        self.assertEqual(("CUSTOM", 11), (made["kind"], made["free"]))

    def test_kinds_of_networks(self):
        """A network of a kind has what follows from it; it is drained and removed."""
        make = ("network", "create", "private", "--kind", "VXLAN")
        self.refused(self.manage(*make, "--link", "br0"), "--link")
        self.refused(self.manage("network", "create", "own"), "--link")
        self.assertEqual(0, self.manage(*make).code)
        [made] = self.listed("network")
        self.assertEqual(("snfv10000", 10000), (made["link"], made["segment"]))
        add = ("network", "subnet-add", "private", "--cidr")
        self.assertEqual(0, self.manage(*add, "10.0.0.0/29").code)
        self.refused(self.manage(*add, "2001:db8::/65"), "/64")
        self.refused(self.manage(*add, "10.1.0.0/29"), "one of each version")
        self.assertEqual(0, self.manage("network", "drain", "private").code)
        [made] = self.listed("network")
        self.assertEqual((6, True), (made["free"], made["drained"]))
        self.assertEqual(0, self.manage("network", "remove", made["id"]).code)
        self.assertEqual([], self.listed("network"))
        self.refused(self.manage("network", "remove", "private"), "private")
