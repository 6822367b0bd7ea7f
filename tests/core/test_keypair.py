"""Names, public keys and fingerprints of key pairs."""

import contextlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.api.compute.key_makers import make
from snf.core.errors import BadRequest
from snf.core.keypair import Type, check_name, fingerprint

# As ``ssh-keygen -l -E md5`` has it.
ED25519 = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH3VeXs5nuZTt2RGnN0b3hMMackYvg2ZImjhLmFOGof3"
)
MD5 = "32:ec:cf:83:e2:70:54:22:b4:36:6b:c6:49:8b:36:6a"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class FingerprintTests(SynchronousTestCase):
    """``fingerprint``."""

    def test_ssh(self) -> None:
        """It is the MD5 of the key, whatever the comment and the white space."""
        for text in (ED25519, f"{ED25519} me@host", f"  {ED25519} a b c\n"):
            self.assertEqual(MD5, fingerprint(Type.SSH, text))

    def test_made(self) -> None:
        """What is made here is taken here, and by nobody for another kind."""
        for kind, other in ((Type.SSH, Type.X509), (Type.X509, Type.SSH)):
            made = make(kind, "alice", NOW)
            octets = 16 if kind is Type.SSH else 20
            self.assertEqual(octets, len(fingerprint(kind, made.public).split(":")))
            self.assertRaises(BadRequest, fingerprint, other, made.public)
            self.assertIn("PRIVATE KEY", made.private)
            self.assertNotIn("PRIVATE", repr(made))

    def test_not_one(self) -> None:
        """What is no key of one line is refused."""
        kind, blob = ED25519.split()
        for text in (
            "",
            kind,
            blob,
            f"ssh-rsa {blob}",
            f"{kind} {blob[:20]}",
            f"{kind} {blob[:-3]}!!!",
            f"{ED25519}\n{ED25519}",
            f"{ED25519}\0",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "x" * 20_000,
        ):
            for expected in Type:
                with self.assertRaises(BadRequest) as caught:
                    fingerprint(expected, text)
                self.assertIn("Keypair data is invalid", str(caught.exception))

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Whatever is sent is taken for a key or refused."""
        for kind in Type:
            with contextlib.suppress(BadRequest):
                self.assertIn(":", fingerprint(kind, text))


class NameTests(SynchronousTestCase):
    """``check_name``."""

    def test_names(self) -> None:
        """Letters, digits, blanks, - and _; later @ and dots as well."""
        for name, always, later in (
            ("my key_1-2", True, True),
            ("me@host.example", False, True),
            ("", False, False),
            ("a/b", False, False),
            ("schlüssel", False, False),
            ("a\n", False, False),
            ("k" * 256, False, False),
        ):
            for more, good in ((False, always), (True, later)):
                if good:
                    check_name(name, more)
                else:
                    self.assertRaises(BadRequest, check_name, name, more)
