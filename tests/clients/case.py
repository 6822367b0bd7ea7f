"""A test with a running demo, and the clients' ways to it."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from snf.allinone.credentials import PEOPLE, Person, password_of
from snf.allinone.layout import Layout
from tests.clients.programs import Program

_LONGEST_S = 180.0


class ClientTestCase(TestCase):
    """A test with a demo.  Clients block, so each journey has a thread of its own."""

    timeout = 900

    def setUp(self) -> None:
        state = os.environ.get("CYCLADES_TEST_DEMO")
        if state is None:
            raise SkipTest("there is no demo to test: run ./cloud test")
        self.layout = Layout(Path(state))
        instance = self.layout.load()
        assert instance is not None
        self.root = f"http://127.0.0.1:{instance.api_port}"
        self.auth_url = f"{self.root}/identity/v3"
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)

    async def together(self, journey: Callable[..., None], ways: Iterable[Any]) -> None:
        """Make a journey in each of these ways at the same time, each to its end."""
        ways = list(ways)
        ends = await DeferredList(
            [deferToThread(journey, way) for way in ways], consumeErrors=True
        )
        failed = [
            f"{way}: {end.getBriefTraceback()}"
            for way, (done, end) in zip(ways, ends, strict=True)
            if not done
        ]
        if failed:
            self.fail("\n".join(failed))

    def file(self, name: str, text: str) -> Path:
        """Return a new file with a text, that a command can name; from any thread."""
        path = Path(mkdtemp(dir=self.directory)) / name
        path.write_text(text)
        return path

    def password(self, who: str = "user") -> str:
        """Return the password of one of :data:`PEOPLE`."""
        return password_of(self.layout, PEOPLE[who])

    def environment(self, who: str = "user") -> dict[str, str]:
        """Return what ``./cloud env`` would set."""
        person: Person = PEOPLE[who]
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": person.name,
            "OS_PASSWORD": self.password(who),
            "OS_PROJECT_NAME": person.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": "RegionOne",
        }

    def openstack(self, version: str | None = None, who: str = "user") -> Program:
        """Return ``openstack``, at a microversion or the one that it chooses."""
        options = ("--os-compute-api-version", version) if version else ()
        return Program("openstack", self.environment(who), options)

    def until(self, happened: Callable[[], Any], what: str) -> Any:
        """Return what is true at last.  Blocks: for the thread of a journey."""
        end = monotonic() + _LONGEST_S
        while monotonic() < end:
            if answer := happened():
                return answer
            sleep(1)  # each look may be a program of its own
        raise AssertionError(f"never: {what}")
