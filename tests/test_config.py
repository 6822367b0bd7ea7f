"""The configuration: what is taken, and how mistakes are named."""

import re
from pathlib import Path
from typing import Any, get_type_hints

from attrs import fields, has
from twisted.trial.unittest import SynchronousTestCase

from snf.config import (
    Api,
    ConfigError,
    Cyclades,
    Eventd,
    Identity,
    load,
    secret,
)
from snf.nfdhcpd.settings import Nfdhcpd
from snf.noded.config import Noded

_SAMPLES: tuple[tuple[str, Any], ...] = (
    ("cyclades", Cyclades),
    ("eventd", Eventd),
    ("nfdhcpd", Nfdhcpd),
    ("noded", Noded),
)
SAMPLES = Path(__file__).parents[1] / "etc"

LEAST = '[database]\ndsn = "dbname=x"\n[broker]\nurl = "memory:"\n'


class ConfigTestCase(SynchronousTestCase):
    """A test that reads configuration files."""

    def file(self, text: str | bytes) -> Path:
        """Return a file that holds a text."""
        path = Path(self.mktemp())
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, text: str) -> Cyclades:
        """Return what a cyclades.toml stands for."""
        return load(self.file(text), Cyclades)

    def assert_wrong(self, text: str | bytes, *named: str) -> None:
        """The file is refused in one line that names the file and what is wrong."""
        path = self.file(text)
        with self.assertRaises(ConfigError) as caught:
            load(path, Cyclades)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertEqual([str(path), *named], message.split(": ")[: len(named) + 1])


class DefaultTests(ConfigTestCase):
    """What need not be said."""

    def test_least(self) -> None:
        """Database and broker are all that has to be named."""
        settings = self.load(LEAST)
        self.assertEqual("dbname=x", settings.database.dsn)
        self.assertEqual((Api(), Identity()), (settings.api, settings.identity))

    def test_some(self) -> None:
        """What is said counts; the rest of its table keeps its defaults."""
        settings = self.load(
            LEAST + "[api]\npage_size = 7\n[submitter]\npoll_s = 2\n"
            '[services]\nrun = ["api"]\n'
        )
        self.assertEqual(
            (7, 1_048_576), (settings.api.page_size, settings.api.max_body_bytes)
        )
        self.assertEqual(2.0, settings.submitter.poll_s)
        self.assertEqual(("api",), settings.services.run)

    def test_paths(self) -> None:
        """Files are paths, or none."""
        text = LEAST.replace("[broker]", 'password_file = "/etc/x"\n[broker]')
        settings = self.load(text)
        self.assertEqual(Path("/etc/x"), settings.database.password_file)
        self.assertIsNone(settings.broker.password_file)


class MistakeTests(ConfigTestCase):
    """Every mistake is one line that names file, table and key."""

    def test_unreadable(self) -> None:
        """A file that is not there, or is no file."""
        for path in (Path("/nonexistent/x.toml"), Path("/")):
            with self.assertRaises(ConfigError) as caught:
                load(path, Cyclades)
            self.assertTrue(str(caught.exception).startswith(f"{path}: "))

    def test_not_toml(self) -> None:
        """A file that is not TOML, or not text."""
        for text in ("[database", "dsn", "a = 1\na = 2\n", b"\xff\xfe", "x = \x00"):
            self.assert_wrong(text)

    def test_missing(self) -> None:
        """A table or key that has to be there."""
        self.assert_wrong("", "database", "is missing")
        self.assert_wrong('[database]\ndsn = ""\n', "broker", "is missing")
        self.assert_wrong("[database]\n[broker]\n", "database", "dsn", "is missing")

    def test_unknown(self) -> None:
        """A table or key that nobody knows."""
        self.assert_wrong(
            LEAST + "[apis]\n",
            "apis",
            "not known; one of database, "
            "broker, services, api, identity, keystone, quota, network, images, stats, console, ganeti, nodes, "
            "submitter, "
            "reconciler, retention",
        )
        self.assert_wrong(LEAST + "[api]\nport = 1\n", "api", "port")
        self.assert_wrong("port = 1\n" + LEAST, "port")

    def test_types(self) -> None:
        """Each kind of key refuses values of every other type."""
        values = {
            "string": '"x"',
            "int": "7",
            "float": "1.5",
            "bool": "true",
            "list": "[1]",
            "table": "{}",
            "date": "2027-01-01",
        }
        for table, key, allowed in (
            ("api", "listen", {"string"}),
            ("api", "page_size", {"int"}),
            ("submitter", "poll_s", {"int", "float"}),
            ("services", "run", set()),
            ("reconciler", "interval_s", {"int", "float"}),
        ):
            for kind, value in values.items():
                if kind not in allowed:
                    text = f"{LEAST}[{table}]\n{key} = {value}\n"
                    self.assert_wrong(text, table, key)
        for value in values.values():
            self.assert_wrong(
                f"api = {value}\n{LEAST}".replace("api = {}", "api = 1"), "api"
            )

    def test_values(self) -> None:
        """Values beyond their bounds."""
        for table, key, values in (
            ("services", "run", ("[]", '["apis"]', '["api", "api"]')),
            ("api", "max_body_bytes", ("0", "-1", "1023")),
            ("api", "page_size", ("0", "-5")),
            ("api", "trusted_proxies", ('["x"]', '["10.0.0.1/8"]', '[""]')),
            (
                "api",
                "public_url",
                (
                    '""',
                    '"x"',
                    '"ftp://x"',
                    '"http://"',
                    '"http://x/"',
                    '"http://[x"',
                    '"http://x:y"',
                ),
            ),
            ("identity", "token_lifetime_s", ("0", "59", "99999999999999999999")),
            ("stats", "refresh_s", ("0", "-1")),
            ("stats", "url", ('"x"', '"ftp://x"', '"http://x/"', '"http://[x"')),
            ("console", "ports", ("[1]", "[2, 1]", "[0, 5]", "[1, 65536]")),
            ("console", "most", ("0", "100001")),
            ("console", "listen", ("[]", '["localhost"]', '["10.0.0.1/8"]')),
            ("console", "control_mode", ('"rw"', '"0888"', '""')),
            (
                "console",
                "control_listen",
                ('"24999"', '"x:1"', '"127.0.0.1:65536"', '"::1:2"'),
            ),
            ("console", "node_tls", ('"on"', '""')),
            ("console", "node_attempts", ("0",)),
            ("console", "viewer_timeout_s", ("0", "nan", "3601")),
            ("console", "handshake_timeout_s", ("0",)),
            ("console", "node_connect_timeout_s", ("0",)),
            ("console", "node_handshake_timeout_s", ("0",)),
            ("quota", "server_groups", ("-2", "2147483648")),
            ("network", "user_kinds", ('["CUSTOM"]', '["vlan"]')),
            ("network", "default_kind", ('""', '"CUSTOM"')),
            ("network", "filtered_bridge", ('""', '"a b"', '"sixteen-letters-"')),
            ("network", "bridge_prefix", ('""', '"Prv"', '"twelveletters"')),
            (
                "network",
                "mac_prefixes",
                (
                    "[]",
                    '["aa:01:0"]',
                    '["aa:02:0", "aa:01:0"]',
                    '["aa:01:0", "ab:01:0"]',
                    '["a8:01:0", "a9:01:0"]',
                    '["a6:01:0", "aa:01:0"]',
                ),
            ),
            ("network", "bridges", ("[1]", "[2, 1]", "[0, 5]", "[1, 10000]")),
            ("network", "vxlan_ids", ("[1]", "[0, 5]", "[1, 16777216]")),
            ("network", "mtu", ("1279", "9217")),
            ("ganeti", "instance_prefix", ('""', '"a-b"', '"a b"', '"é"')),
            ("ganeti", "shutdown_timeout_s", ("0",)),
            ("ganeti", "request_timeout_s", ("0.5", "nan", "inf", f"1{'0' * 400}")),
            ("submitter", "poll_s", ("0", "nan", "-inf")),
            ("submitter", "per_cluster", ("0",)),
            ("submitter", "attempts", ("0",)),
            ("submitter", "settle_s", ("-0.1", "nan")),
            ("reconciler", "interval_s", ("0", "nan")),
            ("retention", "days", ("0", "36501")),
        ):
            for value in values:
                self.assert_wrong(f"{LEAST}[{table}]\n{key} = {value}\n", table, key)

    def test_console(self) -> None:
        """Passwords do not travel in the clear; a certificate has its key."""
        both = "certificate_file, key_file"
        for text, key in (
            ('control_listen = "0.0.0.0:24999"', "certificate_file"),
            ('control_listen = "[::]:24999"', "certificate_file"),
            ('certificate_file = "/x"', both),
            ('key_file = "/x"', both),
        ):
            self.assert_wrong(f"{LEAST}[console]\n{text}\n", "console", key)
        for address in ("127.0.0.1:24999", "[::1]:0"):
            self.load(f'{LEAST}[console]\ncontrol_listen = "{address}"\n')

    def test_stats(self) -> None:
        """A service that draws graphs has a secret in common with this one."""
        self.assert_wrong(
            f'{LEAST}[stats]\nurl = "https://x/v1.0"\n', "stats", "secret_file"
        )

    def test_database(self) -> None:
        """A password in the DSN, in either notation; no threads; no path."""
        for dsn in (
            "host=x password=secret",
            "password = secret",
            "postgresql://user:secret@host/name",
            "postgresql://host/name?password=secret",
        ):
            text = LEAST.replace("dbname=x", dsn)
            self.assert_wrong(
                text, "database", "dsn", "holds a password; put it into password_file"
            )
        for dsn in ("dbname=passwords", "postgresql://user@host:5432/x", "passfile=/x"):
            self.load(LEAST.replace("dbname=x", dsn))
        for key, value in (("threads", "0"), ("password_file", '""')):
            text = LEAST.replace("[broker]", f"{key} = {value}\n[broker]")
            self.assert_wrong(text, "database", key)

    def test_broker(self) -> None:
        """A URL of another kind, or with a password in it."""
        for url in ("", "http://x", "amqp://u:secret@x", "amqp://[x", "amqp://x:y"):
            self.assert_wrong(LEAST.replace("memory:", url), "broker", "url")

    def test_keystone(self) -> None:
        """A Keystone of which a part is missing, or makes no sense."""
        least = "auth_url = 'https://k/v3'\npassword_file = '/x'\n"
        for text, key in (
            ("user = 'x'", "auth_url"),
            ("auth_url = 'https://k'", "password_file"),
            (least.replace("https", "ftp"), "auth_url"),
            (least.replace("//k", "//u:p@k"), "auth_url"),
            (least + "public_url = 'k'", "public_url"),
            (least + "tls = 'off'", "tls"),
            (least + "tls = 'pinned'", "ca_file"),
            (least + "member_role = 'admin'", "admin_role, member_role, reader_role"),
            (least + "cache_s = 61", "cache_s"),
            (least + "timeout_s = 0", "timeout_s"),
            (least + "at_once = 0", "at_once"),
        ):
            self.assert_wrong(f"{LEAST}[keystone]\n{text}\n", "keystone", key)
        self.load(f"{LEAST}[keystone]\n{least}")

    def test_never_a_password(self) -> None:
        """The line does not repeat a password."""
        path = self.file(LEAST.replace("dbname=x", "password=hunter2"))
        with self.assertRaises(ConfigError) as caught:
            load(path, Cyclades)
        self.assertNotIn("hunter2", str(caught.exception))


class SecretTests(ConfigTestCase):
    """Files that hold a secret."""

    def test_read(self) -> None:
        """The newline at the end is not part of the secret; blanks are."""
        self.assertEqual(" se cret ", secret(self.file(" se cret \n")))

    def test_unreadable(self) -> None:
        """A file that is not there, is empty, or is not text."""
        for path in (
            Path("/nonexistent"),
            self.file(""),
            self.file("\n"),
            self.file(b"\xff"),
        ):
            with self.assertRaises(ConfigError) as caught:
                secret(path)
            self.assertTrue(str(caught.exception).startswith(f"{path}: "))


class SampleTests(ConfigTestCase):
    """``etc/*.toml``: each loads, and says what the defaults are."""

    def test_load(self) -> None:
        """Each sample is a file that works."""
        for name, kind in _SAMPLES:
            load(SAMPLES / f"{name}.toml", kind)

    def test_defaults(self) -> None:
        """What a sample shows commented out is the default, and no key is left out."""
        for name, kind in _SAMPLES:
            text = (SAMPLES / f"{name}.toml").read_text("utf-8")
            plain: Any = load(SAMPLES / f"{name}.toml", kind)
            shown: Any = load(self.file(re.sub(r"(?m)^# (?=\w+ = )", "", text)), kind)
            for table, key in _keys(kind):
                self.assertRegex(text, rf"(?m)^(# )?{key} = ", f"{name}: {table}")
                default = getattr(getattr(plain, table), key)
                if default not in (None, ""):
                    self.assertEqual(default, getattr(getattr(shown, table), key), key)

    def test_all(self) -> None:
        """There is no sample without a program."""
        names = {path.name for path in SAMPLES.iterdir()}
        # That of the nodes is read by a program of theirs: see tests/node/os.
        ours = {f"{name}.toml" for name, _ in _SAMPLES}
        self.assertEqual({*ours, "snf-os.toml"}, names)


def _keys(kind: Any) -> list[tuple[str, str]]:
    """Return all tables and keys of a file."""
    hints = get_type_hints(kind)
    return [
        (table.name, key.name)
        for table in fields(kind)
        if has(hints[table.name])
        for key in fields(hints[table.name])
    ]
