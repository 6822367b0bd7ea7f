"""The three ways of trusting a cluster's certificate, as policies for an ``Agent``."""

from twisted.web.iweb import IPolicyForHTTPS

from snf import trust
from snf.http import FilePolicy
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Unreachable


def policy(endpoint: Endpoint) -> IPolicyForHTTPS:
    """
    Return how connections to an endpoint check whom they talk to.

    Connecting raises ``Unreachable`` where the endpoint's file cannot be used.
    """
    file = endpoint.ca_file
    return {
        # An issuer of the file, and the URL's own host name or address.
        Tls.VERIFY: FilePolicy(file, trust.verified, Unreachable),
        # A certificate of the file itself.  Ganeti makes a self-signed one of X.509
        # version 1 for ganeti.example.com, the same name on every cluster and no way
        # to put another into it.
        Tls.PINNED: FilePolicy(
            file, lambda host, pem: trust.pinned(pem or ""), Unreachable
        ),
        # Anybody: only for a cluster on this very machine, and for tests.
        Tls.OFF: FilePolicy(None, lambda host, pem: trust.unchecked(), Unreachable),
    }[endpoint.tls]
