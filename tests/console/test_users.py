"""SHA-512 crypt, the users' file, and the command that writes it."""

import stat
from pathlib import Path

from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.console import crypt
from snf.console.passwd import main
from snf.console.users import parsed


class CryptTests(SynchronousTestCase):
    """Hashes as crypt(3) has them."""

    def test_specification(self) -> None:
        """The examples of the specification, and others of glibc's crypt(3)."""
        for password, kept in (
            (
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3u"
                "BnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                "Gr\u00fc\u00dfe, " + "x" * 70,
                "$6$rounds=1400$anotherlongsalts$9LJbQtnLmitleB7o5O2GmH6Tpwp4Aw5Xow"
                "Oko5VCOL8Xzmm8.X5453gJIY40569AhM/QJjJ4FRttGia5XfXLT/",
            ),
            (
                "Hello world!",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0"
                "sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
            (
                "This is just a test",
                "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQ"
                "zQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0",
            ),
        ):
            self.assertTrue(crypt.matches(password, kept), kept)
            self.assertFalse(crypt.matches(password + "x", kept))
            self.assertTrue(crypt.is_hash(kept))

    @settings(max_examples=10, deadline=None)
    @given(st.text(max_size=40))
    def test_own(self, password: str) -> None:
        """Whoever knows the password of which a hash was made is let in by it."""
        kept = crypt.digest(password)
        self.assertTrue(crypt.matches(password, kept))
        self.assertFalse(crypt.matches(password + "x", kept))

    def test_refused(self) -> None:
        """What is no hash, or would take too long, lets nobody in."""
        text = "." * 86
        for kept in (
            "",
            "x",
            "$1$salt$x",
            f"$6$salt${text}.",
            f"$6$seventeen-letters${text}",
            f"$6$rounds=1000001$salt${text}",
        ):
            self.assertFalse(crypt.is_hash(kept), kept)
            self.assertFalse(crypt.matches("x", kept))
        self.assertFalse(crypt.matches("x" * 300, crypt.digest("x" * 300)))


class FileTests(SynchronousTestCase):
    """The users' file."""

    def test_parsed(self) -> None:
        """Lines that are no users are left out, and told."""
        kept = f"$6$salt${'.' * 86}"
        text = f"# ours\nalice:{kept}\n\nBob:{kept}\nbob:secret\n_x9:{kept} \n:{kept}\n"
        known, wrong = parsed(text)
        self.assertEqual({"alice": kept, "_x9": kept}, known)
        self.assertEqual([4, 5, 7], wrong)


class CommandTests(SynchronousTestCase):
    """``vncauthproxy-passwd``."""

    def setUp(self) -> None:
        self.file = Path(self.mktemp())

    def run_it(self, *arguments: str, text: str = "hunter2\n") -> Result:
        """Return how it ended."""
        [*options, user] = arguments
        return CliRunner().invoke(main, [*options, str(self.file), user], input=text)

    def test_set(self) -> None:
        """A user is added, changed, and removed; others stay as they are."""
        self.assertEqual(0, self.run_it("alice").exit_code)
        self.assertEqual(0o600, stat.S_IMODE(self.file.stat().st_mode))
        self.file.chmod(0o640)
        before = self.file.read_text()
        self.assertEqual(0, self.run_it("bob").exit_code)
        self.assertTrue(self.file.read_text().startswith(before))
        self.assertEqual(0o640, stat.S_IMODE(self.file.stat().st_mode))
        self.run_it("bob", text="hunter3\n")
        known, wrong = parsed(self.file.read_text())
        self.assertEqual((["alice", "bob"], []), (sorted(known), wrong))
        self.assertTrue(crypt.matches("hunter3", known["bob"]))
        self.assertTrue(crypt.matches("hunter2", known["alice"]))
        self.run_it("-d", "bob")
        self.assertEqual(before, self.file.read_text())

    def test_dry_run(self) -> None:
        """What would be written is printed only."""
        printed = self.run_it("-n", "alice").output
        self.assertTrue(crypt.matches("hunter2", parsed(printed)[0]["alice"]))
        self.assertFalse(self.file.exists())

    def test_refused(self) -> None:
        """What cannot be done is said in a line, and changes nothing."""
        for arguments, text in (
            (("Alice",), "x\n"),
            (("9x",), "x\n"),
            (("alice",), "\n"),
            (("-d", "alice"), ""),
        ):
            result = self.run_it(*arguments, text=text)
            self.assertNotEqual(0, result.exit_code)
            self.assertIn("Error: ", result.output)
        self.assertFalse(self.file.exists())
        self.file = Path(self.mktemp(), "users")
        self.assertIn("No such file", self.run_it("alice").output)
