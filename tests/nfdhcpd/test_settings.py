"""The configuration: our own file, and the original's."""

from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.settings import Nfdhcpd, read
from snf.tap.nfdhcpd import Options
from snf.toml import ConfigError

ORIGINAL = """## General options
[general]
pidfile = /var/run/nfdhcpd/nfdhcpd.pid
datapath = /srv/bindings # Where the client configuration will be read from
logdir = /var/log/nfdhcpd
user = daemon # An unprivileged user to run as

[dhcp]
enable_dhcp = yes
lease_lifetime = 604800 # 1 week
lease_renewal = 1800 \t# half an hour
server_ip = 192.0.2.3
dhcp_queue = 142
nameservers = 192.0.2.53, "192.0.2.54"
domain = example.com
server_on_link = yes
unknown = 1

[ipv6]
enable_ipv6 = yes
ra_period = 600
rs_queue = 143
ns_queue = 144
dhcp_queue = 145
mode = slaac+dhcpv6
nameservers = 2001:db8::53,
domains = example.com, example.org
"""


class SettingsTestCase(SynchronousTestCase):
    """A test with files."""

    def file(self, text: str, name: str = "nfdhcpd.toml") -> Path:
        """Return a file of that name that holds a text."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        path = directory / name
        path.write_text(text)
        return path

    def ini(self, text: str) -> Nfdhcpd:
        """Return what a file of the original means."""
        return read(self.file(text, "nfdhcpd.conf"))


class OriginalTests(SettingsTestCase):
    """A file of the original."""

    def test_every_key(self) -> None:
        """Each of its keys is one of ours."""
        settings = self.ini(ORIGINAL)
        process, dhcp, ipv6 = settings.process, settings.dhcp, settings.ipv6
        self.assertEqual(
            ("daemon", "/var/run/nfdhcpd/nfdhcpd.pid", "/var/log/nfdhcpd/nfdhcpd.log"),
            (process.user, str(process.pidfile), str(process.logfile)),
        )
        self.assertEqual(Path("/srv/bindings"), settings.bindings.directory)
        queues = settings.queues
        self.assertEqual(
            (142, 143, 144, 145), (queues.dhcp, queues.rs, queues.ns, queues.dhcpv6)
        )
        self.assertEqual(
            (604_800, 1800, "192.0.2.3", True, "example.com"),
            (
                dhcp.lease_s,
                dhcp.renewal_s,
                dhcp.server_ip,
                dhcp.server_on_link,
                dhcp.domain,
            ),
        )
        self.assertEqual(("192.0.2.53", "192.0.2.54"), dhcp.nameservers)
        self.assertEqual((600, "slaac+dhcpv6"), (ipv6.ra_period_s, ipv6.mode))
        self.assertEqual(("2001:db8::53",), ipv6.nameservers)
        self.assertEqual(("example.com", "example.org"), ipv6.domains)

    def test_least(self) -> None:
        """What it does not say has our defaults, but for queues that it does not name."""
        settings = self.ini("[general]\n")
        self.assertEqual((42, -1, -1, -1), _numbers(settings))
        self.assertEqual(Nfdhcpd().dhcp, settings.dhcp)

    def test_off(self) -> None:
        """Each half can be switched off; the newer name of a queue counts."""
        self.assertEqual(
            (-1, 143, 144, 145),
            _numbers(self.ini(ORIGINAL.replace("= yes", "= no", 1))),
        )
        without6 = ORIGINAL.replace("enable_ipv6 = yes", "enable_ipv6 = no")
        self.assertEqual((142, -1, -1, -1), _numbers(self.ini(without6)))
        newer = ORIGINAL + "dhcpv6_queue = 245\n"
        self.assertEqual((142, 143, 144, 245), _numbers(self.ini(newer)))

    def test_wrong(self) -> None:
        """File, section, key and reason, in one line."""
        for old, new, words in (
            ("604800", "a week", ("dhcp", "lease_lifetime", "a week")),
            ("enable_dhcp = yes", "enable_dhcp = maybe", ("dhcp", "enable_dhcp")),
            ("server_on_link = yes", "server_on_link = 2", ("server_on_link",)),
            ("192.0.2.3\n", "192.0.2.300\n", ("server_ip",)),
            ("slaac+dhcpv6", "both", ("mode", "both")),
            ("144", "143", ("queues", "ns")),
            ("[ipv6]", "[ipv6", ("nfdhcpd.conf",)),
            ("[ipv6]", "[dhcp]", ("nfdhcpd.conf",)),
        ):
            with self.assertRaises(ConfigError) as caught:
                self.ini(ORIGINAL.replace(old, new))
            text = str(caught.exception)
            self.assertNotIn("\n", text)
            for word in ("nfdhcpd.conf", *words):
                self.assertIn(word, text)


class OwnTests(SettingsTestCase):
    """A file of our own."""

    def test_wrong(self) -> None:
        """Table, key and what is allowed."""
        for table, line, word in (
            ("process", 'user = ""', "user"),
            ("queues", "dhcp = -2", "from 0 to 65535, or -1"),
            ("queues", "rs = 42", "is the queue of dhcp already"),
            ("queues", "length = 15", "from 16 to 65536"),
            ("dhcp", 'server_ip = "x"', "server_ip"),
            ("dhcp", "lease_s = 59", "lease_s"),
            ("dhcp", "renewal_s = 604800", "renewal_s"),
            ("dhcp", "rebinding_s = 3600", "renewal_s"),
            ("dhcp", "rebinding_s = 604800", "less than lease_s"),
            ("dhcp", 'nameservers = ["2001:db8::1"]', "nameservers"),
            ("dhcp", 'ntp_servers = ["x"]', "ntp_servers"),
            ("dhcp", 'next_server = "x"', "next_server"),
            ("dhcp", 'domain = "a b"', "domain"),
            ("dhcp", f'server_name = "{"x" * 64}"', "at most 63"),
            ("dhcp", f'boot_file = "{"x" * 128}"', "at most 127"),
            ("dhcp", 'options = ["1:2"]', "options"),
            ("dhcp", 'options = ["51:hex:00"]', "option 51 is set by the server"),
            ("ipv6", 'mode = "both"', "mode"),
            ("ipv6", 'mode = "dhcpv6"\n[queues]\ndhcpv6 = -1', "needs a queue"),
            ("ipv6", "lease_s = 59", "lease_s"),
            ("ipv6", "renewal_s = 529200", "renewal_s"),
            ("ipv6", "ra_period_s = 3", "from 4 to 1800"),
            ("ipv6", 'nameservers = ["192.0.2.1"]', "nameservers"),
            ("ipv6", 'ntp_servers = ["192.0.2.1"]', "ntp_servers"),
            ("ipv6", 'preference = "most"', "low, medium, high"),
            ("ipv6", 'domains = ["-"]', "domains"),
            ("metrics", "port = 65536", "port"),
            ("metrics", "textfile_s = 0", "textfile_s"),
        ):
            with self.assertRaises(ConfigError) as caught:
                read(self.file(f"[{table}]\n{line}\n"))
            text = str(caught.exception)
            self.assertIn(f"{table}: ", text)
            self.assertIn(word, text)


class OptionsTests(SettingsTestCase):
    """``twistd nfdhcpd``'s command line."""

    def test_check(self) -> None:
        """A valid file is said to be so; another one is not, with the reason."""
        for text, name in (("", "nfdhcpd.toml"), (ORIGINAL, "nfdhcpd.conf")):
            path = self.file(text, name)
            ended = self.assertRaises(
                SystemExit, Options().parseOptions, ["--check", "-c", str(path)]
            )
            self.assertEqual(0, ended.code)
        for text, word in (
            ("[dhcp]\nlease = 1\n", "lease: not known"),
            ('[process]\nuser = "nobody-of-this-name"\n', "there is no user"),
        ):
            path = self.file(text)
            for flags in ([], ["--check"]):
                problem = self.assertRaises(
                    UsageError, Options().parseOptions, [*flags, "-c", str(path)]
                )
                self.assertIn(word, str(problem))
                self.assertIn(str(path), str(problem))


def _numbers(settings: Nfdhcpd) -> tuple[int, int, int, int]:
    queues = settings.queues
    return queues.dhcp, queues.rs, queues.ns, queues.dhcpv6
