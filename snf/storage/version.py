"""A guard: no process works on a schema that it was not written for."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from snf.storage.database import Database
from snf.storage.migrate import WrongSchema, check

_log = Logger()


class SchemaCheck(Service):
    """Stops the process at once when the schema is not the one it was written for."""

    def __init__(self, reactor: Any, database: Database) -> None:
        self.reactor = reactor
        self.database = database

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._check())

    async def _check(self) -> None:
        try:
            await self.database.run(check)
        except WrongSchema as failure:
            _log.critical("{reason}", reason=str(failure))
            if self.running:
                self.reactor.stop()
        except Exception as failure:
            # Not reachable yet: whoever needs it will say so, and find out then.
            _log.warn("the schema was not checked: {reason}", reason=str(failure))
