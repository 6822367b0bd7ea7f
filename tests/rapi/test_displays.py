"""Where displays are, as Ganeti tells of them."""

from twisted.trial.unittest import SynchronousTestCase

from snf.rapi.displays import Display, parse


class ParseTests(SynchronousTestCase):
    """What an instance and its node tell."""

    def told(self, bound: object, port: object = 11_000, address: str = "192.0.2.7"):
        """Return what is made of it."""
        values = {"pnode": "n", "network_port": port, "hv/vnc_bind_address": bound}
        return parse(values, address)

    def test_places(self) -> None:
        """Everywhere is the node's address; its loopback is nowhere; all else is meant."""
        for bound, host in (
            ("0.0.0.0", "192.0.2.7"),
            ("::", "192.0.2.7"),
            ("198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", ""),
            ("::1", ""),
            ("", ""),
            (None, ""),
        ):
            self.assertEqual(Display("n", host, 11_000), self.told(bound), bound)

    def test_none(self) -> None:
        """An instance may have no display."""
        self.assertIsNone(self.told("0.0.0.0", port=None).port)

    def test_nonsense(self) -> None:
        """What is no address or port is not taken for one."""
        self.assertRaises(ValueError, self.told, "a name")
        self.assertRaises(ValueError, self.told, "0.0.0.0", 1, "a name")
        self.assertRaises(ValueError, self.told, "0.0.0.0", "x")
