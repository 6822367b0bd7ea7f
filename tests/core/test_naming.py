"""Names on Ganeti, there and back."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core import naming


class NamingTests(SynchronousTestCase):
    """What is ours is recognized, and nothing else."""

    @given(st.integers(1, 2**59))
    def test_instances(self, number):
        """A server's id comes back from its instance's name."""
        name = naming.instance_name("snf", number)
        self.assertEqual(number, naming.server_id("snf", name))
        self.assertIsNone(naming.server_id("other", name))

    def test_foreign_instances(self):
        """Names that only look like ours are not."""
        for name in (
            "snf-",
            "snf-0",
            "snf-01",
            "snf-1.example",
            "xsnf-1",
            "snf-1\n",
            "",
        ):
            self.assertIsNone(naming.server_id("snf", name), name)

    def test_nics_and_orders(self):
        """Ports and orders come back from NIC names and reasons."""
        known = uuid4()
        self.assertEqual(known, naming.port_id(naming.nic_name(known)))
        self.assertEqual(known, naming.order_id(naming.order_reason(known)))
        for other in (None, "", "eth0", "snf-nic-42"):
            self.assertIsNone(naming.port_id(other))
        for reason in ("", "backup", "cyclades:42"):
            self.assertIsNone(naming.order_id(reason))
