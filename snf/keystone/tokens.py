"""What tokens stand for, by Keystone's word of a moment ago."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from snf.core.identity import Grant
from snf.core.memory import Memory
from snf.flights import Flights
from snf.keystone.token import Said

# A token that Keystone does not know will hardly become one; this is for the second
# Keystone that has not heard of it yet.
_UNKNOWN_FOR_S = 10.0
_REMEMBERED = 10_000
# Fernet tokens have some 200 characters, those with many groups of a federation more.
_LONGEST = 4096


@define(eq=False)
class Tokens:
    """
    Asks Keystone about each token once in a while, however often it is used.

    Of a token only the hash is kept.  While Keystone is away, those that are remembered
    are good until their time is over.

    :ivar adopt: Takes in the user and the project of a token before it is of use.
    :ivar cache_s: For how long at most Keystone's word is good: so long after it was
        revoked a token may work still.
    """

    clock: IReactorTime
    validate: Callable[[str], Awaitable[Said | None]]
    adopt: Callable[[Grant], Awaitable[None]]
    cache_s: float
    _good: Memory[Grant] = field(init=False, factory=lambda: Memory(_REMEMBERED))
    _bad: Memory[bool] = field(init=False, factory=lambda: Memory(_REMEMBERED))
    _flights: Flights[Grant | None] = field(init=False, factory=Flights)

    async def grant(self, token: str) -> Grant | None:
        """
        Return what a token stands for; None when it is not valid.

        :raises Unavailable: Keystone has to be asked, and does not answer.
        """
        if len(token) > _LONGEST or not (token.isascii() and token.isprintable()):
            return None
        digest = sha256(token.encode("ascii")).digest()
        now = self.clock.seconds()
        known = self._good.get(digest, now)
        if known is not None:
            return known
        if self._bad.get(digest, now):
            return None
        return await self._flights.join(digest, lambda: self._ask(token, digest))

    async def _ask(self, token: str, digest: bytes) -> Grant | None:
        # What was true when it was asked is old when the answer has come.
        began = self.clock.seconds()
        said = await self.validate(token)
        if said is None:
            self._bad.put(digest, True, began + _UNKNOWN_FOR_S)
            return None
        await self.adopt(said.grant)
        self._good.put(digest, said.grant, began + min(self.cache_s, said.lasts_s))
        return said.grant
