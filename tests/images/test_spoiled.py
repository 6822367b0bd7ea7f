"""Images in which some bytes are others: refused in words, or taken; never a bug."""

from pathlib import Path
from random import Random

from snf.core.errors import BadRequest
from snf.images.inspection import Inspection
from tests.images.test_inspection import MADE, InspectionTestCase

_SEED = 1
_EACH = 60

# Numbers that programs stumble over.
_EVIL = (0, 1, 0x7F, 0x80, 0xFF)


class SpoiledTests(InspectionTestCase):
    """A few hundred of them, always the same."""

    def spoiled(self, random: Random, whole: bytes) -> bytes:
        """Return data with something wrong in it, mostly where the headers are."""
        data = bytearray(whole)
        for _ in range(random.choice((1, 2, 4, 16, 64))):
            reach = random.choice((128, 1024, 70_000, 300_000, len(data)))
            place = random.randrange(min(reach, len(data)))
            for at in range(place, min(place + random.choice((1, 4, 8)), len(data))):
                data[at] = random.choice((*_EVIL, random.randrange(256)))
        if random.random() < 0.3:
            del data[random.randrange(1, len(data)) :]
        return bytes(data)

    def test_never_a_bug(self) -> None:
        """Each is a BadRequest with a sentence, or an image whose disk is in bounds."""
        random, most = Random(_SEED), 2**41
        ends = {"taken": 0, "refused": 0}
        path = self.directory / "spoiled"
        for claimed, kind, options in MADE:
            if claimed == "raw":
                continue
            whole = self.made(kind, options).read_bytes()[: 4 * 1024 * 1024]
            for _ in range(_EACH):
                path.write_bytes(self.spoiled(random, whole))
                ends[self.end(claimed, path, most)] += 1
        self.assertGreater(ends["refused"], _EACH)

    def end(self, claimed: str, path: Path, most: int) -> str:
        """Return how it ends."""
        inspection = Inspection(claimed, most, path)
        try:
            inspection.take(path.read_bytes())
            size = inspection.finish()
        except BadRequest as refusal:
            self.assertTrue(str(refusal).strip())
            return "refused"
        self.assertLessEqual(size, most)
        self.assertGreater(size, 0)
        return "taken"
