"""Our own identity service is a Keystone to another cloud's API."""

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from snf.api.compute.build import Builder
from snf.api.compute.consoles import Consoles
from snf.api.tree import Parts, site
from snf.config import Api, Identity
from snf.core import passwords
from snf.testing import world
from snf.testing.keystone_contract import keystone_tests
from snf.testing.keystone_http import KeystoneOverHttp
from snf.testing.postgres import shared_database


async def subject(case: TestCase) -> KeystoneOverHttp:
    """Return a whole site that listens, over a database of its own."""
    import secrets

    database: Any = shared_database(case)
    await database.run(world.make)

    async def verify(password: str, kept: str) -> bool:
        return passwords.matches(password, kept)

    async def digest(password: str) -> str:
        return passwords.digest(password, b"salt", cost=2)

    clock: Any = reactor
    whole = site(
        Parts(
            clock=clock,
            database=database,
            api=Api(),
            identity=Identity(),
            instance_prefix="snf",
            verify=verify,
            digest=digest,
            new_token=lambda: secrets.token_urlsafe(32),
            builder=Builder(),
            consoles=Consoles(lambda: secrets.token_urlsafe(32)),
        )
    )
    port = clock.listenTCP(0, whole, interface="127.0.0.1")
    case.addCleanup(port.stopListening)
    url = f"http://127.0.0.1:{port.getHost().port}/identity/v3"
    return await KeystoneOverHttp(clock, url, ("admin", world.PASSWORD)).prepare()


class OwnKeystoneTests(keystone_tests(subject)):
    """What a client makes of our own identity service."""
