"""Services of which each needs the ones before it."""

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

_log = Logger()


class Layers(MultiService):
    """Starts its services in their order, and stops them from the last to the first.

    A ``MultiService`` stops all at once: the database would be gone before those whose
    work under way needs it.
    """

    def stopService(self) -> "Deferred[None]":
        """Stop them; each is waited for, and one that fails keeps no other."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for service in reversed(list(self)):
            try:
                await maybeDeferred(service.stopService)
            except Exception:
                _log.failure("{service} did not stop well", service=service)
