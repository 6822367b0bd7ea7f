"""The throttle and the audit behind a reverse proxy."""

from tests.api.case import TOKENS, ApiTestCase, Reply


class ProxyTestCase(ApiTestCase):
    """A test of clients who come through 192.0.2.99."""

    def guess(self, client: str) -> Reply:
        """Return the answer to a login that a proxy passes on, with a wrong password."""
        who = {"name": "alice", "password": "guess", "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": who}}}
        told = {"X-Forwarded-For": client, "Forwarded": "for=198.51.100.77"}
        return self.call("POST", TOKENS, {"auth": auth}, headers=told)

    def addresses(self) -> list[str]:
        """Return the addresses in the audit."""
        return [row[0] for row in self.sql("SELECT address FROM activity ORDER BY id")]


class TrustedTests(ProxyTestCase):
    """The proxy is one of ours."""

    trusted_proxies = ("192.0.2.0/24",)

    def test_throttle(self) -> None:
        """Each client has tries of its own, and cannot get more by inventing addresses."""
        codes = [self.guess(f"10.0.0.{n}, 203.0.113.7").code for n in range(6)]
        self.assertEqual([401] * 5 + [429], codes)
        self.assertEqual(401, self.guess("203.0.113.8").code)

    def test_audit(self) -> None:
        """The audit has the client's address."""
        self.guess("203.0.113.7")
        self.assertEqual(["203.0.113.7"], self.addresses())


class UntrustedTests(ProxyTestCase):
    """It is anybody."""

    def test_ignored(self) -> None:
        """Whatever it says, the address is its own."""
        codes = [self.guess(f"203.0.113.{n}").code for n in range(6)]
        self.assertEqual([401] * 5 + [429], codes)
        self.assertEqual(["192.0.2.99"] * 5, self.addresses())
