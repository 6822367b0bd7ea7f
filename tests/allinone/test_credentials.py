"""What ``./cloud env`` prints."""

import json
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.credentials import PEOPLE, clouds, exports, password_of
from snf.allinone.failure import Failure
from snf.allinone.files import password
from snf.allinone.layout import Layout


class ExportsTests(SynchronousTestCase):
    """The text, as a shell reads it."""

    def test_shell(self):
        """A shell that evaluates it has the variables, odd characters included."""
        text = exports(9000, PEOPLE["user"], "it's $HOME; `x`", "RegionOne")
        shown = subprocess.run(
            ["sh", "-euc", f'{text}\nprintf "%s|" "$OS_PASSWORD" "$OS_AUTH_URL"'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertEqual("it's $HOME; `x`|http://127.0.0.1:9000/identity/v3|", shown)

    def test_user_and_admin(self):
        """The user is a member of the demo project, the admin has a project apart."""
        self.assertIn("OS_PROJECT_NAME=demo", exports(1, PEOPLE["user"], "x", "R"))
        self.assertIn("OS_USERNAME=admin", exports(1, PEOPLE["admin"], "x", "R"))


class CloudsTests(SynchronousTestCase):
    """The ``clouds.yaml``."""

    def test_password(self) -> None:
        """A password with odd characters in it stays what it is."""
        odd = 'it\'s "x": #é\n'
        said = json.loads(clouds(9000, PEOPLE["admin"], odd, "RegionOne"))
        cloud = said["clouds"]["cyclades"]
        self.assertEqual(
            ("admin", odd, "http://127.0.0.1:9000/identity/v3"),
            tuple(cloud["auth"][key] for key in ("username", "password", "auth_url")),
        )


class PasswordTests(SynchronousTestCase):
    """Passwords of the seeded users."""

    def test_made_once(self):
        """A password is made at first, kept, and readable to its owner alone."""
        path = Path(self.mktemp()) / "user-demo"
        first = password(path)
        self.assertGreaterEqual(len(first), 20)
        self.assertEqual(first, password(path))
        self.assertEqual(0o600, path.stat().st_mode & 0o777)

    def test_never_up(self):
        """Asking for one before the first ``up`` says what to do."""
        with self.assertRaises(Failure) as caught:
            password_of(Layout(Path(self.mktemp())), PEOPLE["user"])
        self.assertIn("./cloud up", str(caught.exception))
