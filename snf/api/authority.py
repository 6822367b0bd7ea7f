"""Whose word on tokens counts: our own tables', or a Keystone's."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from attrs import frozen

from snf.api.call import Call
from snf.core.identity import Grant
from snf.core.passwords import token_digest
from snf.storage import tokens
from snf.storage.database import Transaction

# What a caller's token stands for, told in the transaction of the request; None when
# it is not valid.
Lookup = Callable[[Transaction], Grant | None]


class Authority(Protocol):
    """Knows what tokens stand for.

    :ivar uri: Of the identity service at which clients log in.
    """

    @property
    def uri(self) -> str: ...

    async def look(self, call: Call) -> Lookup:
        """
        Do what has to be done before the request's transaction begins.

        :raises Unavailable: Who knows does not answer.
        """


@frozen
class OwnTokens:
    """Our own tokens, looked up in the request's transaction: what is revoked is at once."""

    uri: str

    async def look(self, call: Call) -> Lookup:
        def known(txn: Transaction) -> Grant | None:
            if call.token is None:
                return None
            return tokens.get(txn, token_digest(call.token), call.now)

        return known


@frozen
class ForeignTokens:
    """Tokens of a Keystone, which is asked before the transaction.

    :ivar grant: What a token stands for; None when it is not valid.
    """

    uri: str
    grant: Callable[[str], Awaitable[Grant | None]]

    async def look(self, call: Call) -> Lookup:
        found = None if call.token is None else await self.grant(call.token)
        return lambda txn: found
