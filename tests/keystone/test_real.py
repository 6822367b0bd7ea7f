"""OpenStack's own Keystone, where there is one: see ``docs/develop.md``."""

import os
import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from snf.testing.keystone_contract import keystone_tests
from snf.testing.keystone_http import KeystoneOverHttp
from tests.keystone.real import PASSWORD, PLACE, RealKeystone

_running: list[RealKeystone] = []


async def subject(case: TestCase) -> KeystoneOverHttp:
    """Return accounts of their own in the one Keystone of all tests."""
    place = os.environ.get(PLACE)
    if place is None:
        raise SkipTest(f"{PLACE} names no virtualenv with keystone and waitress")
    if not _running:
        folder = Path(case.mktemp()).absolute()
        keystone = RealKeystone(reactor, Path(place), folder, _free_port())
        reactor.addSystemEventTrigger(  # type: ignore[attr-defined]
            "before", "shutdown", lambda: Deferred.fromCoroutine(keystone.stop())
        )
        await keystone.start()
        _running.append(keystone)
    return await KeystoneOverHttp(
        reactor, _running[0].url, ("admin", PASSWORD)
    ).prepare()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class RealKeystoneTests(keystone_tests(subject)):  # type: ignore[misc]
    """What a client makes of a real Keystone."""
