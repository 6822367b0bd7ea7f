"""The contract of a Keystone, run against OpenStack's own: see ``docs/develop.md``.

Not found by itself, since it needs a virtualenv that ``./cloud test`` does not make.
"""

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from snf.testing.keystone_contract import keystone_tests
from snf.testing.keystone_http import KeystoneOverHttp
from tests.keystone.real import PASSWORD, start

# Where a virtualenv is that has the packages keystone and waitress.
_PLACE = "CYCLADES_TEST_KEYSTONE"

_started: dict[str, str] = {}


async def subject(case: TestCase) -> KeystoneOverHttp:
    """Return accounts of their own in the one Keystone of all tests."""
    place = os.environ.get(_PLACE)
    if place is None:
        raise AssertionError(f"{_PLACE} names no virtualenv with keystone and waitress")
    if place not in _started:
        _started[place] = ""
        _started[place] = start(Path(place), Path(case.mktemp()).absolute())
    url = _started[place]
    if not url:
        raise AssertionError("Keystone has not started")
    return await KeystoneOverHttp(reactor, url, ("admin", PASSWORD)).prepare()


class RealKeystoneTests(keystone_tests(subject)):
    """What a client makes of a real Keystone."""
