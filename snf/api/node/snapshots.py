"""``/node/v1/snapshots/{order}``: a node brings the image that it makes of a disk."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.call import UUID_TEXT, Call
from snf.api.json import Edge, new_app, route
from snf.api.node.signed import REFUSED, check
from snf.core.errors import BadRequest, Forbidden, QuotaExceeded, TooLarge
from snf.core.node_keys import NodeKeys
from snf.core.signing import SNAPSHOT_PATH
from snf.images.intake import Job
from snf.storage import snapshots
from snf.storage.database import Transaction

DISK_FORMAT = "qcow2"
"""What nodes make images in."""


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """How far a node is, or why nothing comes of it."""

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    error: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


@frozen
class Snapshots:
    """
    ``/node/v1/snapshots``.

    :ivar keys: None where there are no signed URLs.
    :ivar intake: What takes the data of images (``snf.images.intake.Intake``).
    """

    app = new_app()

    edge: Edge
    keys: NodeKeys | None
    intake: Any

    @route(app, "POST", "/<order>", role=None, body=Report, code=204)
    def report(self, txn: Transaction, call: Call, order: str) -> None:
        """Take a node's word on how far it is."""
        which = self._order(call, order)
        told: Report = call.body
        if told.error is not None:
            snapshots.fail(txn, which, told.error or "The node gives no reason")
        else:
            snapshots.heard(txn, which, told.percent, call.now)

    @route(app, "PUT", "/<order>", role=None, code=204)
    async def upload(self, call: Call, order: str) -> None:
        """Take the data of the image."""
        which = self._order(call, order)
        stream = call.stream
        if stream is None:
            raise BadRequest("The URL must be written without escapes")
        try:
            self.intake.check_length(stream.length)
            upload = await self.edge.database.run(
                self._begun, which, stream.length, call.now
            )
        except (QuotaExceeded, TooLarge) as refusal:
            # To try again would not help.
            await self.edge.database.run(snapshots.fail, which, str(refusal))
            raise
        job = Job(upload, DISK_FORMAT, order=which)
        await self.intake.receive(job, stream.read)

    def _begun(
        self, txn: Transaction, order: UUID, length: int | None, now: Any
    ) -> UUID:
        return snapshots.receive(txn, order, length, now, self.intake.limits)

    def _order(self, call: Call, order: str) -> UUID:
        if self.keys is None or not UUID_TEXT.fullmatch(order):
            raise Forbidden(REFUSED)
        # Signed once for both methods: a node is given one signature.
        check(call, self.keys.signer, SNAPSHOT_PATH.format(order), "PUT")
        return UUID(order)
