"""Who may open a console: those with a token, and those who have just had it open."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snf.api.call import UUID_TEXT
from snf.core.console import Console, Kind, Terms
from snf.core.errors import Forbidden
from snf.core.passwords import token_digest
from snf.storage import activities, console_tokens
from snf.storage.activities import Activity
from snf.storage.database import Database, Transaction

_log = Logger()

REFUSED = (
    "This console cannot be opened (any more): ask for a new URL. Each one is good once, "
    "and for some minutes"
)


@frozen
class Asker:
    """Who asks to have a console opened, as the log and the audit trail name it."""

    address: str
    request_id: str


@frozen
class Rights:
    """Redeems tokens.

    Whatever is wrong with one, the refusal is the same.

    :ivar new_secret: Makes a secret.
    """

    clock: IReactorTime
    database: Database
    terms: Terms
    new_secret: Callable[[], str]

    async def redeem(
        self, token: str, kind: Kind | None, asker: Asker
    ) -> tuple[Console, str]:
        """
        Redeem a token; return what it opens, and by which secret it is opened again.

        :param kind: Of the console; None for any.
        :raises Forbidden: It is not good for that.
        """
        secret = self.new_secret()
        now = self._now()

        def work(txn: Transaction) -> Console | None:
            found = console_tokens.redeem(
                txn,
                token_digest(token),
                kind,
                now,
                self._until(now),
                token_digest(secret),
            )
            if found is not None:
                activities.add(
                    txn,
                    Activity(
                        action="console open",
                        user=found.user,
                        project=found.project,
                        object=found.uuid,
                        request_id=asker.request_id,
                        address=asker.address,
                    ),
                )
            return found

        return _granted(await self.database.run(work), asker), secret

    async def resume(
        self, right: str, secret: str | None, kind: Kind | None, asker: Asker
    ) -> Console:
        """
        Return what somebody may open again.

        :param right: Its id.
        :raises Forbidden: There is no such right (any more), or the secret is another's.
        """
        found = None
        if secret is not None and UUID_TEXT.fullmatch(right):
            found = await self.database.run(
                console_tokens.resume, UUID(right), token_digest(secret), self._now()
            )
        if found is not None and kind not in (None, found.kind):
            found = None
        return _granted(found, asker)

    async def lasting(self, opened: set[UUID]) -> set[UUID]:
        """Return which of the consoles that are open may stay so."""
        now = self._now()
        until = self._until(now)
        return await self.database.run(console_tokens.lasting, opened, now, until)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.seconds(), UTC)

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.terms.reconnect_s)


def _granted(found: Console | None, asker: Asker) -> Console:
    if found is None:
        _log.warn(
            "{client} asked for a console with a token that is not good ({request_id})",
            client=asker.address or "-",
            request_id=asker.request_id,
        )
        raise Forbidden(REFUSED)
    return found
