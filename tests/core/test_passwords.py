"""What is kept of passwords."""

from twisted.trial.unittest import SynchronousTestCase

from snf.core import passwords


class PasswordTests(SynchronousTestCase):
    """Only the right password matches."""

    def test_match(self):
        """The password matches what was made of it, another one does not."""
        kept = passwords.digest("pässword", b"salt" * 4)
        self.assertTrue(passwords.matches("pässword", kept))
        self.assertFalse(passwords.matches("password", kept))
        self.assertNotIn("pässword", kept)

    def test_nul(self):
        """NULs at the end make another password, though HMAC cannot tell."""
        kept = passwords.digest("password", b"salt" * 4, cost=2)
        self.assertFalse(passwords.matches("password\0", kept))

    def test_nobody(self):
        """No password matches what stands in for a user that there is not."""
        for password in ("", "\0", "password"):
            self.assertFalse(passwords.matches(password, passwords.NOBODY))

    def test_unknown_kind(self):
        """A digest of another making is an error, never a match."""
        self.assertRaises(ValueError, passwords.matches, "x", "md5$1$1$1$00$00")
