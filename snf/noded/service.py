"""The parts of snf-noded, put together."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService
from twisted.application.strports import service
from twisted.internet.defer import Deferred, DeferredList

from snf import privileges
from snf.noded.api import Api, connect
from snf.noded.config import Known
from snf.noded.door import Door, site
from snf.noded.parts import Kind, Parts
from snf.noded.services import KINDS


@define(eq=False)
class Server(MultiService):
    """
    snf-noded: the services of the settings, none of which can do more than it needs.

    :ivar kinds: The services that there are, by their names.
    """

    reactor: Any
    known: Known
    kinds: Mapping[str, Kind] = KINDS
    api: Api = field(init=False)
    door: Door = field(init=False)

    def __attrs_post_init__(self) -> None:
        MultiService.__init__(self)
        settings, signer = self.known.settings, self.known.signer
        self.api = connect(self.reactor, settings.api, signer)
        self.door = Door(signer, self.reactor.seconds)
        parts = Parts(self.reactor, settings, signer, self.api, self.door)
        for name in settings.services.run:
            self.kinds[name].make(parts).setServiceParent(self)
        if settings.node.listen:
            # As root: the port, and the file of a certificate's key, may be root's.
            listening = service(
                settings.node.listen, site(self.door), reactor=self.reactor
            )
            listening.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Open what only root may, then be root no more."""
        super().privilegedStartService()
        settings = self.known.settings
        kept = {
            capability
            for name in settings.services.run
            for capability in self.kinds[name].capabilities
        }
        try:
            privileges.drop(settings.process.user, kept)
        except privileges.Refused as problem:
            raise SystemExit(f"snf-noded: {problem}") from None

    def stopService(self) -> "Deferred[Any]":
        ended = [super().stopService(), Deferred.fromCoroutine(self.api.close())]
        return DeferredList([one for one in ended if isinstance(one, Deferred)])
