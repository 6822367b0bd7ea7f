"""URLs that nodes are given."""

from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.node_keys import NodeKeys
from snf.core.sealing import Unreadable
from snf.core.signing import LONGEST_S, Signer

PATH = "/node/v1/guest/x"
NOW = 1_800_000_000.0


def signed(signer: Signer, path: str, expires: int) -> tuple[str, str]:
    query = parse_qs(signer.query("GET", path, expires))
    return query["expires"][0], query["signature"][0]


class SignerTests(SynchronousTestCase):
    """``Signer``."""

    def setUp(self) -> None:
        self.signer = Signer(b"k" * 32)

    def good(
        self, expires: str, signature: str, method: str = "GET", path: str = PATH
    ) -> bool:
        return self.signer.good(method, path, expires, signature, NOW)

    def test_good(self) -> None:
        """A URL is good for its method and path, until its time."""
        given = signed(self.signer, PATH, int(NOW) + 60)
        self.assertTrue(self.good(*given))
        self.assertFalse(self.good(*given, method="PUT"))
        self.assertFalse(self.good(*given, path=f"{PATH}y"))
        self.assertFalse(self.signer.good("GET", PATH, *given, NOW + 60))

    def test_times(self) -> None:
        """It ends with the second that it names, and no time is too far ahead."""
        for ahead, good in (
            (0, False),
            (1, True),
            (LONGEST_S, True),
            (LONGEST_S + 1, False),
        ):
            given = signed(self.signer, PATH, int(NOW) + ahead)
            self.assertEqual(good, self.good(*given))

    def test_another_key(self) -> None:
        """Another key's signature is none."""
        given = signed(Signer(b"l" * 32), PATH, int(NOW) + 60)
        self.assertFalse(self.good(*given))

    @given(st.text(), st.text())
    def test_anything(self, expires: str, signature: str) -> None:
        """Nothing that was not signed here is good."""
        self.assertFalse(self.good(expires, signature))

    def test_time_not_to_be_changed(self) -> None:
        """A signature is of one time only, however that is written."""
        expires, signature = signed(self.signer, PATH, int(NOW) + 60)
        self.assertFalse(self.good(str(int(expires) + 1), signature))
        self.assertFalse(self.good(f" {expires}", signature))
        self.assertFalse(self.good(f"+{expires}", signature))

    def test_hidden(self) -> None:
        """The key is in no text of it."""
        self.assertNotIn("kkkk", repr(self.signer))


class KeyTests(SynchronousTestCase):
    """``NodeKeys``: what seals and what signs are two keys of one."""

    def test_seal(self) -> None:
        """What one seals it opens; another does not, and says which key is wrong."""
        first, second = NodeKeys.of("a" * 32), NodeKeys.of("b" * 32)
        sealed = first.seal.seal(b"secret")
        self.assertNotIn(b"secret", sealed)
        self.assertEqual(b"secret", NodeKeys.of("a" * 32).seal.open(sealed))
        with self.assertRaises(Unreadable) as caught:
            second.seal.open(sealed)
        self.assertIn("[nodes] key_file", str(caught.exception))
        self.assertRaises(Unreadable, first.seal.open, sealed[:-1])
        self.assertNotEqual(first.signer, second.signer)
        self.assertNotIn("aaaa", repr(first))
