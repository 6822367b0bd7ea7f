"""What Keystone says of tokens: tests for a fake one, for ours, and for real ones."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from snf.core.errors import Unavailable
from snf.core.identity import Role
from snf.keystone.client import Client
from snf.keystone.token import Said


class Subject(Protocol):
    """A Keystone to test, with somebody who is member of one project.

    :ivar client: Has an account that may check tokens.
    :ivar stranger: The same with a wrong password.
    :ivar user: The user's name; ``project`` the project's; both in ``Default``.
    """

    client: Client
    stranger: Client
    user: str
    project: str

    async def token(self, scoped: bool = True) -> str:
        """Return a new token of the user's."""

    async def revoke(self, token: str) -> None:
        """End a token."""

    async def disable(self) -> None:
        """Disable the project."""

    async def close(self) -> None:
        """End all that goes on."""


class _KeystoneTests(TestCase):
    """What a client makes of a Keystone's answers."""

    create: ClassVar[Callable[[TestCase], Awaitable[Subject]]]
    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        self.subject = await type(self).create(self)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.subject.close()))

    async def said(self, token: str) -> Said:
        """Return what is said of a token that is good."""
        found = await self.subject.client.validate(token)
        assert found is not None
        return found

    async def test_scoped(self) -> None:
        """A token for a project names user, project, domains and roles."""
        said = await self.said(await self.subject.token())
        grant = said.grant
        assert grant.project is not None
        self.assertEqual(self.subject.user, grant.user.name)
        self.assertEqual(self.subject.project, grant.project.name)
        self.assertEqual(("default", "Default"), _named(grant.user.domain))
        self.assertEqual(("default", "Default"), _named(grant.project.domain))
        self.assertTrue(grant.may(Role.MEMBER))
        self.assertFalse(grant.may(Role.ADMIN))
        self.assertIn("password", grant.methods)
        self.assertLess(grant.issued, grant.expires)
        self.assertGreater(said.lasts_s, 60)

    async def test_unscoped(self) -> None:
        """A token for no project holds no role."""
        grant = (await self.said(await self.subject.token(scoped=False))).grant
        self.assertEqual(self.subject.user, grant.user.name)
        self.assertEqual((None, frozenset()), (grant.project, grant.roles))

    async def test_same_ids(self) -> None:
        """Two tokens of one user are of one user."""
        one = (await self.said(await self.subject.token())).grant
        other = (await self.said(await self.subject.token(scoped=False))).grant
        self.assertEqual(one.user.id, other.user.id)

    async def test_unknown(self) -> None:
        """What is no token stands for nothing."""
        for token in ("x", "gAAAAA-not-one", "0" * 200, "%00", '"', "a b"):
            self.assertIsNone(await self.subject.client.validate(token), token)

    async def test_revoked(self) -> None:
        """A token that was revoked stands for nothing any more."""
        token = await self.subject.token()
        await self.said(token)
        await self.subject.revoke(token)
        self.assertIsNone(await self.subject.client.validate(token))

    async def test_disabled(self) -> None:
        """A disabled project's tokens stand for nothing."""
        token = await self.subject.token()
        await self.said(token)
        await self.subject.disable()
        self.assertIsNone(await self.subject.client.validate(token))

    async def test_own_token_ended(self) -> None:
        """When our own token has ended before its time there is another."""
        token = await self.subject.token()
        await self.said(token)
        own = self.subject.client._own
        assert own is not None
        await self.subject.revoke(own)
        await self.said(token)
        self.assertNotEqual(own, self.subject.client._own)

    async def test_wrong_password(self) -> None:
        """Who may not check tokens does not say that they are not valid."""
        token = await self.subject.token()
        try:
            await self.subject.stranger.validate(token)
        except Unavailable:
            return
        self.fail("a stranger was answered")


def _named(domain: Any) -> tuple[str, str]:
    return domain.id, domain.name


def keystone_tests(
    create: Callable[[TestCase], Coroutine[Any, Any, Subject]],
) -> type[TestCase]:
    """Return the tests of a Keystone; a coroutine of ``create(case)`` makes one."""
    return type("KeystoneTests", (_KeystoneTests,), {"create": staticmethod(create)})
