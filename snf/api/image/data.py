"""``/v2/images/{id}/file``, ``/stage`` and ``/import``: the data of images."""

from functools import partial
from typing import Any
from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.files import sending
from snf.api.image.bodies import Import
from snf.api.image.owned import find, own
from snf.api.json import Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Image
from snf.core.errors import BadRequest, Conflict, Forbidden, TooMany
from snf.core.identity import Role
from snf.core.image import Status, begin_upload
from snf.images.intake import Intake, Job
from snf.images.web import Web
from snf.storage import uploads
from snf.storage.database import Transaction
from snf.storage.uploads import Upload

_STREAM = "application/octet-stream"

# Of one project; others must get their turn, too.
_AT_ONCE = 10
_RETRY_AFTER_S = 30


@frozen
class File:
    """The data of images, as it is."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    intake: Intake

    @route(app, "GET", "/<image>/file")
    async def download(self, call: Call, image: str) -> Answer:
        """Send the data of one, or a part of it."""
        found = await self.edge.database.run(find, call, image)
        if found.status == Status.DEACTIVATED and not call.is_admin:
            raise Forbidden(
                "The requested image has been deactivated. Image data download is "
                "forbidden."
            )
        if found.sha256 is None:
            return Answer(code=204)
        path = self.intake.store.place(found.sha256)
        sent = await sending(
            path, call.byte_range, found.size_bytes, self.intake.in_thread
        )
        headers = {
            **sent.part.headers(),
            "Content-Type": _STREAM,
            "Content-MD5": found.checksum or "",
        }
        return Answer(sent, 200 if sent.part.is_all else 206, headers)

    @route(app, "PUT", "/<image>/file", role=Role.MEMBER, code=204)
    async def upload(self, call: Call, image: str) -> None:
        """Take the data of one."""
        await _take(self.edge, self.intake, call, image, stage=False)


@frozen
class Stage:
    """The data of images that are to be imported."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    intake: Intake

    @route(app, "PUT", "/<image>/stage", role=Role.MEMBER, code=204)
    async def upload(self, call: Call, image: str) -> None:
        """Take the data of one that is to be imported then."""
        await _take(self.edge, self.intake, call, image, stage=True)


@frozen
class Imports:
    """Making images of what was staged, or of what is elsewhere.

    :ivar web: Fetches; None where users may not have anything fetched.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    intake: Intake
    web: Web | None

    @route(app, "POST", "/<image>/import", role=Role.MEMBER, body=Import, code=202)
    async def make(self, call: Call, image: str) -> None:
        """Import the data of one, staged before (glance-direct) or from a URL."""
        method = call.body.method
        if method.name == "glance-direct":
            if method.uri is not None:
                raise BadRequest("method.uri: glance-direct takes none")
            await self.edge.database.run(self._settle, call, image)
            return
        if self.web is None:
            raise Forbidden("method.name: web-download is not offered here")
        url = self.web.check(method.uri or "")
        self.intake.check_length(None)
        job = await self.edge.database.run(
            _begun, call, image, "import", Status.IMPORTING, None, self.intake.limits
        )
        self.intake.begin(self.web.fetch(self.intake, job, url)).addErrback(_noted)

    def _settle(self, txn: Transaction, call: Call, image: str) -> None:
        found = own(txn, call, image, "import")
        ready = uploads.staged(txn, found.id)
        if found.status != Status.UPLOADING or ready is None:
            raise Conflict(
                "Image needs to be staged before 'glance-direct' method can be used"
            )
        upload, data = ready
        uploads.as_import(txn, upload, "glance-direct", call.request_id)
        place = partial(self.intake.store.settle, upload, data.sha256)
        uploads.succeed(txn, upload, data, call.now, self.intake.limits, place)
        note(txn, call, "image import", found.id)


async def _take(
    edge: Edge, intake: Intake, call: Call, image: str, stage: bool
) -> None:
    stream = call.stream
    if stream is None:
        raise BadRequest("The URL must be written without escapes")
    intake.check_length(stream.length)
    kind, status = ("stage", Status.UPLOADING) if stage else ("upload", Status.SAVING)
    job = await edge.database.run(
        _begun, call, image, kind, status, stream.length, intake.limits
    )
    await intake.receive(job, stream.read)


def _begun(
    txn: Transaction,
    call: Call,
    image: str,
    kind: str,
    status: Status,
    length: int | None,
    limits: Any,
) -> Job:
    """Begin to take an image's data, which nobody else does from here on."""
    found: Image = own(txn, call, image, "upload data for")
    begin_upload(found, status)
    if uploads.running(txn, found.project) >= _AT_ONCE:
        raise TooMany(
            f"{_AT_ONCE} images of the project are on their way: try again later",
            _RETRY_AFTER_S,
        )
    upload = Upload(
        uuid4(),
        found.id,
        kind,
        call.now,
        call.now,
        user=call.grant.user.id,
        request_id=call.request_id,
        total=length,
    )
    if kind == "import":
        upload = evolve(upload, method="web-download")
    uploads.begin(txn, upload, status, limits)
    note(txn, call, f"image {kind}", found.id)
    assert found.disk_format is not None
    return Job(upload.id, found.disk_format, stage=kind == "stage")


def _noted(failure: Any) -> None:
    """Nobody waits for it: it is told by the image's tasks, and has been logged."""
