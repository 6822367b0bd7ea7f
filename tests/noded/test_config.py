"""``noded.toml``, and the key that it names."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.core.node_keys import NodeKeys, written
from snf.noded.config import read
from snf.toml import ConfigError

KEY = written(NodeKeys.of("a" * 32))


class ReadTests(SynchronousTestCase):
    """``read``."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.key = self.folder / "key"
        self.key.write_text(f"{KEY}\n")

    def file(self, api: str = 'urls = ["http://a:1"]', more: str = "") -> Path:
        """Return a file with a table for the API, and more."""
        path = self.folder / "noded.toml"
        path.write_text(f'[api]\n{api}\n[node]\nkey_file = "{self.key}"\n{more}')
        return path

    def test_least(self) -> None:
        """The API is all that has to be named; the key is the one that APIs have."""
        known = read(self.file())
        self.assertEqual(NodeKeys.of("a" * 32).shared, known.signer)
        self.assertEqual("nobody", known.settings.process.user)
        self.assertNotIn(KEY, repr(known))

    def test_mistakes(self) -> None:
        """Each is named by file, table and key."""
        for api, named in (
            ("urls = []", "api: urls: "),
            ('urls = ["ftp://a"]', "api: urls: 'ftp://a' "),
            ('urls = ["http://a/"]', "api: urls: "),
            ('urls = ["http://a:x"]', "api: urls: "),
            ('urls = ["http://a"]\ntimeout_s = 0', "api: timeout_s: "),
        ):
            with self.assertRaises(ConfigError) as caught:
                read(self.file(api))
            self.assertIn(named, str(caught.exception))
        for more, named in (
            ('[services]\nrun = ["x"]', "services: run: 'x' is not one of"),
            ('[process]\nuser = ""', "process: user: "),
            ('[serial]\nsockets = "x"', "serial: sockets: "),
            ("[serial]\nlog_bytes = 4096", "serial: log_bytes: "),
            ('[serial]\ninstance_prefix = "a-b"', "serial: instance_prefix: "),
        ):
            with self.assertRaises(ConfigError) as caught:
                read(self.file(more=more))
            self.assertIn(named, str(caught.exception))

    def test_key(self) -> None:
        """A key that is none is said so, and is in no message."""
        for text in ("", "ab" * 31, "zz" * 32, "\u0661" * 64):
            self.key.write_text(text)
            with self.assertRaises(ConfigError) as caught:
                read(self.file())
            self.assertIn(str(self.key), str(caught.exception))
            self.assertFalse(text and text in str(caught.exception))
        self.key.unlink()
        self.assertRaises(ConfigError, read, self.file())
