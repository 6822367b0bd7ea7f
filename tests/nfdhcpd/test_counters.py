"""Counters, as Prometheus reads them."""

from io import BytesIO

from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.counters import Metric, dropped, exposition, of_packets


class ExpositionTests(SynchronousTestCase):
    """The text format."""

    def test_packets(self) -> None:
        """A line for each kind and outcome, after what they are."""
        text = exposition(
            [of_packets({("dhcp", "offer"): 3, ("dhcp", "ack"): 12345678})]
        )
        self.assertEqual(
            "# HELP nfdhcpd_packets_total Packets by kind and what became of them.\n"
            "# TYPE nfdhcpd_packets_total counter\n"
            'nfdhcpd_packets_total{kind="dhcp",outcome="ack"} 12345678\n'
            'nfdhcpd_packets_total{kind="dhcp",outcome="offer"} 3\n',
            text,
        )

    def test_labels(self) -> None:
        """What would end a label is escaped; without labels there are no braces."""
        metric = Metric("x", "y", "gauge", (((("a", 'b"\\\n'),), 1), ((), 2)))
        self.assertEqual(
            ['x{a="b\\"\\\\\\n"} 1', "x 2"], exposition([metric]).splitlines()[2:]
        )


class DroppedTests(SynchronousTestCase):
    """The kernel's counts."""

    def test_lines(self) -> None:
        """Waiting, dropped, and not delivered, of each queue."""
        file = BytesIO(
            b"   42  12345     7 2  2048     5     3      999  1\n"
            b"   43  12345     0 2  2048     0     0        1  1\n"
        )
        for _ in range(2):  # it is read again and again
            self.assertEqual({42: (7, 5, 3), 43: (0, 0, 0)}, dropped(file))

    def test_none(self) -> None:
        """Who may not open the file has no counts."""
        self.assertEqual({}, dropped(None))
