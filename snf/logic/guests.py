"""What the OS definition is given with a build or a rebuild, made when it is asked for.

Nothing of it is stored with the order: secrets stay sealed until then, and a URL is to
be good for minutes only.
"""

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from snf.core.errors import NotFound
from snf.core.guest import Parameters, pieces, written
from snf.core.node_keys import NodeKeys
from snf.core.order import Build, Kind, Order, Reinstall, Source
from snf.core.sealing import Unreadable
from snf.core.signing import GUEST_PATH, IMAGE_PATH, Signer
from snf.rapi.errors import Refused
from snf.storage import guests
from snf.storage.database import Database, Transaction


@frozen
class Nodes:
    """How nodes are told what they need.

    :ivar url: Where they reach the API.
    :ivar url_lifetime_s: How long a URL is good.
    :ivar shared_images: Whether they have the images' directory themselves.
    :ivar keys: What opens what is kept for guests, and signs URLs; None where the
        operator has set none.
    """

    url: str
    url_lifetime_s: int = 1800
    shared_images: bool = False
    keys: NodeKeys | None = None


@frozen
class GuestTeller:
    """Makes the parameters of orders."""

    clock: IReactorTime
    database: Database
    nodes: Nodes

    async def parameters(self, order: Order) -> Parameters:
        """
        Return what an order's request carries besides what the order says.

        :raises Refused: It can never be carried out: the key that it needs is not there.
        """
        wanted = order.build or order.reinstall
        if wanted is None or not wanted.told:
            return Parameters()
        try:
            return await self.database.run(self._made, order, wanted)
        except (Unreadable, NotFound) as failure:
            raise Refused(str(failure), 500) from None

    def _made(
        self, txn: Transaction, order: Order, wanted: Build | Reinstall
    ) -> Parameters:
        # Packing takes a few milliseconds, which a thread has.
        keys = self.nodes.keys
        if keys is None:
            raise Unreadable("[nodes] key_file: is not set, and this guest needs it")
        signer = keys.signer
        guest = guests.told(txn, keys.seal, order.id)
        source = wanted.source
        # A node takes them for secret where Ganeti can keep them so.
        url = {"image_url": self._image_url(signer, source)} if source else {}
        public = {"hostname": guest.hostname, "order": str(order.id), **_of(source)}
        if order.kind is Kind.REBUILD:
            told = self._signed(signer, GUEST_PATH.format(order.id))
            return Parameters({**public, **url, "guest_url": told})
        return Parameters(public, {**url, **pieces(written(guest))})

    def _image_url(self, signer: Signer, source: Source) -> str:
        if self.nodes.shared_images:
            return ""
        return self._signed(signer, IMAGE_PATH.format(source.sha256))

    def _signed(self, signer: Signer, path: str) -> str:
        expires = int(self.clock.seconds()) + self.nodes.url_lifetime_s
        return f"{self.nodes.url}{path}?{signer.query('GET', path, expires)}"


def _of(source: Source | None) -> dict[str, str]:
    if source is None:
        return {}
    return {
        "image_id": str(source.image),
        "image_format": source.format,
        "image_sha256": source.sha256,
        "image_size": str(source.size),
    }
