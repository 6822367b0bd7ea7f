"""The fake Keystone does what a real one does."""

from attrs import define, evolve, field
from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from snf.keystone.account import Account
from snf.keystone.client import Client, over
from snf.testing.keystone import FakeKeystone
from snf.testing.keystone_contract import keystone_tests


@define(eq=False)
class FakeSubject:
    """The contract's subject: a Keystone in memory, without a network."""

    fake: FakeKeystone = field(factory=lambda: FakeKeystone(reactor))  # type: ignore[arg-type]
    user: str = "alice"
    project: str = "alpha"
    client: Client = field(init=False)
    stranger: Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client = self._client(self.fake.account)
        self.stranger = self._client(evolve(self.fake.account, password="guess"))

    def _client(self, account: Account) -> Client:
        http = StubTreq(self.fake.resource())
        return over(http, account, reactor, timeout_s=30)  # type: ignore[arg-type]

    async def token(self, scoped: bool = True) -> str:
        return self.fake.log_in("alice", scoped)

    async def revoke(self, token: str) -> None:
        del self.fake.tokens[token]

    async def disable(self) -> None:
        self.fake.disabled.add("alpha")

    async def close(self) -> None:
        await self.client.close()
        await self.stranger.close()


async def subject(case: TestCase) -> FakeSubject:
    return FakeSubject()


class FakeKeystoneTests(keystone_tests(subject)):
    """What a client makes of the fake."""
