"""``/node/v1/images/{sha256}``: the data of an image, for a node that makes a disk of it."""

import re
from pathlib import Path
from typing import Any

from attrs import frozen

from snf.api.call import Call
from snf.api.files import sending
from snf.api.json import Answer, Edge, new_app, route
from snf.api.node.signed import REFUSED, check
from snf.core.errors import Forbidden, NotFound
from snf.core.node_keys import NodeKeys
from snf.core.signing import IMAGE_PATH

_SHA256 = re.compile(r"[0-9a-f]{64}")


@frozen
class Images:
    """
    ``/node/v1/images``.

    :ivar keys: None where there are no signed URLs.
    :ivar intake: What knows where the files are (``snf.images.intake.Intake``).
    """

    app = new_app()

    edge: Edge
    keys: NodeKeys | None
    intake: Any

    @route(app, "GET", "/<sha256>", role=None)
    async def download(self, call: Call, sha256: str) -> Answer:
        """Send a node the data of an image, or a part of it."""
        if self.keys is None or not _SHA256.fullmatch(sha256):
            raise Forbidden(REFUSED)
        check(call, self.keys.signer, IMAGE_PATH.format(sha256))
        path, in_thread = self.intake.store.place(sha256), self.intake.in_thread
        try:
            # What is found by its content is whole: it was put there by its name.
            size = await in_thread(_size, path)
            sent = await sending(path, call.byte_range, size, in_thread)
        except (NotFound, OSError):
            raise Forbidden(REFUSED) from None
        headers = {**sent.part.headers(), "Content-Type": "application/octet-stream"}
        return Answer(sent, 200 if sent.part.is_all else 206, headers)


def _size(path: Path) -> int:
    return path.stat().st_size
