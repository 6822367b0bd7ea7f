"""A Keystone in place of our own identity service."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from snf.api.authority import ForeignTokens
from snf.config import Keystone
from snf.core.identity import Grant, Role
from snf.keystone.account import Account, Tls, unversioned
from snf.keystone.client import Client, connect
from snf.keystone.tokens import Tokens
from snf.storage import accounts
from snf.storage.database import Database


class Desk(Service):
    """Where tokens are checked; its connections are closed when it stops."""

    def __init__(self, client: Client, authority: ForeignTokens) -> None:
        self.client = client
        self.authority = authority

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self.client.close())


def keystone_desk(
    reactor: Any, settings: Keystone, password: str, database: Database
) -> Desk:
    """Return the service that checks tokens as the settings say."""
    url = settings.auth_url or ""
    account = Account(
        url=url,
        user=settings.user,
        password=password,
        user_domain=settings.user_domain,
        project=settings.project,
        project_domain=settings.project_domain,
        roles={
            settings.admin_role: Role.ADMIN,
            settings.member_role: Role.MEMBER,
            settings.reader_role: Role.READER,
        },
        tls=Tls(settings.tls),
        ca_file=settings.ca_file,
    )
    client = connect(reactor, account, settings.timeout_s, settings.at_once)

    async def adopt(grant: Grant) -> None:
        await database.run(accounts.adopt, grant)

    tokens = Tokens(reactor, client.validate, adopt, settings.cache_s)
    place = unversioned(settings.public_url or url)
    return Desk(client, ForeignTokens(place, tokens.grant))
