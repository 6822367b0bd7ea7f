"""The remote API's certificate."""

from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.certificate import self_signed


class SelfSignedTests(SynchronousTestCase):
    """``self_signed``."""

    def test_names(self):
        """It holds the name and the addresses, and belongs to the key."""
        address = IPv4Address("10.213.20.1")
        key, text = self_signed("cluster.x.test", [address])
        certificate = x509.load_pem_x509_certificate(text.encode())
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        self.assertEqual(["cluster.x.test"], names.get_values_for_type(x509.DNSName))
        self.assertEqual([address], names.get_values_for_type(x509.IPAddress))
        private = load_pem_private_key(key.encode(), None)
        self.assertEqual(certificate.public_key(), private.public_key())
