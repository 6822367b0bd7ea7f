"""Images with data, as users know them: the small guest's disk, and what operators give.

They go into the image service's own store, looked at as what users upload is.
"""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from attrs import evolve, field, frozen

from snf.allinone.failure import Failure
from snf.allinone.layout import Layout
from snf.core.catalog import Image
from snf.core.errors import SnfError
from snf.core.image import OS
from snf.images.inspection import Inspection
from snf.images.receiver import Receiver
from snf.images.store import Store
from snf.storage import images
from snf.storage.database import Transaction
from snf.storage.uploads import Data

NAME = "tiny-disk"
"""What the small guest's disk is called."""
_OF_GUEST = {"OS": "linux", "OSFAMILY": "linux", "USERS": "root", "ROOT_PARTITION": "1"}
_GIVEN = {"OSFAMILY": "linux"}
_STAND_IN = b"This stands for a disk: nothing boots in a demo.\n".ljust(2**20, b"\0")

_PIECE = 2**20
_LARGEST_DISK = 2**41
_TIMEOUT_S = 60
_MAGIC = (
    (b"QFI\xfb", "qcow2"),
    (b"KDMV", "vmdk"),
    (b"# Disk DescriptorFile", "vmdk"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vhd"),
)
_PACKED = ((b"\xfd7zXZ\0", "xz"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"))
_ISO_AT, _ISO = 32_769, b"CD001"
_SUFFIX = re.compile(r"\.(qcow2|img|raw|vmdk|vhdx?|iso)$")

_Said = Callable[[str], None]
_Begin = Callable[[], AbstractContextManager[Transaction]]


@frozen
class Source:
    """
    An image that is to be there.

    :ivar where: A path, or a URL (http, https).
    :ivar stand_in: What its data is, where this is not to be had from anywhere.
    """

    name: str
    where: str
    properties: Mapping[str, str] = field(factory=lambda: dict(_GIVEN))
    min_disk_gib: int = 0
    stand_in: bytes = b""


def tiny(disk: Path | None) -> Source:
    """Return the small guest's disk; something else in its place where none is made."""
    stand_in = b"" if disk else _STAND_IN
    return Source(NAME, str(disk or ""), _OF_GUEST, 1, stand_in)


def given(text: str) -> Source:
    """
    Return what an operator gives: FILE, URL, or NAME=FILE, NAME=URL.

    :raises Failure: It is none of these.
    """
    name, equals, where = text.partition("=")
    if not equals or not re.fullmatch(r"[\w. -]+", name):
        name, where = "", text
    scheme = re.match(r"([a-z]+)://", where)
    if scheme and scheme[1] not in ("http", "https"):
        raise Failure(f"--image {text}: of URLs, http:// and https:// are taken")
    if not scheme and not Path(where).is_file():
        raise Failure(f"--image {text}: there is no such file")
    last = where.split("?")[0].rstrip("/").rpartition("/")[2]
    path = where if scheme else str(Path(where).resolve())
    return Source(name or _SUFFIX.sub("", last), path)


def have(begin: _Begin, layout: Layout, source: Source, say: _Said) -> bool:
    """
    Have an image; return whether that was needed.

    Operators' are known by their names.  The small guest's disk is another one after it
    has been made anew.

    :param begin: Begins a transaction, which is committed where no exception leaves it.
    :raises Failure: Its data cannot be had, or is refused.
    """
    with begin() as txn:
        known = images.listing(txn, None, images.Wanted(name=source.name), 1)
    if known and source.name != NAME:
        return False
    if known and not _is_other(source, known[0]):
        return False
    data, disk_format = fetch(store(layout), source, say)
    now = datetime.now(UTC)
    image = Image(
        id=uuid4(),
        name=source.name,
        os=OS,
        created=now,
        updated=now,
        min_disk_gib=source.min_disk_gib,
        properties=source.properties,
    )
    image = evolve(
        known[0] if known else image,
        updated=now,
        disk_format=disk_format,
        size_bytes=data.size,
        sha256=data.sha256,
        hash_algo="sha512",
        hash_value=data.sha512,
        checksum=data.md5,
        virtual_size_bytes=data.virtual_size,
    )
    with begin() as txn:
        (images.change if known else images.add)(txn, image)
    return True


def store(layout: Layout) -> Store:
    """Return where the data of images is."""
    return Store(layout / "images")


def _is_other(source: Source, image: Image) -> bool:
    """Return whether the data that there is is not that of the image."""
    if source.stand_in:
        return False
    # It was made later than the image was changed; or somebody has removed what it was.
    made = Path(source.where).stat().st_mtime
    return image.sha256 is None or made > image.updated.timestamp()


def fetch(into: Store, source: Source, say: _Said) -> tuple[Data, str]:
    """
    Put an image's data into a store; return what it is, and its format.

    :raises Failure: It cannot be had, or is refused.
    """
    upload = uuid4()
    try:
        with _opened(source) as (pieces, total):
            head = next(pieces, b"")
            disk_format = recognized(source.name, head)
            path = into.incoming(upload)
            inspection = Inspection(disk_format, _LARGEST_DISK, path)
            receiver = Receiver(into.begin(upload), inspection)
            try:
                receiver.write(head)
                for piece in _told(pieces, len(head), total, source.name, say):
                    receiver.write(piece)
                data = receiver.finish()
            finally:
                receiver.close()
        if total is not None and data.size != total:
            raise Failure(f"image {source.name}: {data.size} of {total} bytes came")
        into.settle(upload, data.sha256)
    except SnfError as refusal:
        raise Failure(f"image {source.name}: {refusal}") from None
    except (OSError, urllib.error.URLError) as failure:
        raise Failure(f"image {source.name}: {source.where}: {failure}") from None
    finally:
        into.discard(upload)
    return data, disk_format


def recognized(name: str, head: bytes) -> str:
    """
    Return the format of a disk by how it begins; raw where nothing says another one.

    :raises Failure: It is packed: no node unpacks it.
    """
    for magic, kind in _PACKED:
        if head.startswith(magic):
            raise Failure(f"image {name}: it is packed ({kind}): unpack it first")
    if head[_ISO_AT:].startswith(_ISO):
        return "iso"
    found = (kind for magic, kind in _MAGIC if head.startswith(magic))
    return next(found, "raw")


@contextmanager
def _opened(source: Source) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Give what its data is, in pieces, and how much that will be, if it is known."""
    if source.stand_in:
        yield iter((source.stand_in,)), None
    elif "://" in source.where:
        with urllib.request.urlopen(source.where, timeout=_TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            yield _pieces(answer), int(length) if length else None
    else:
        with Path(source.where).open("rb") as file:
            yield _pieces(file), None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _told(
    pieces: Iterator[bytes], come: int, total: int | None, name: str, say: _Said
) -> Iterator[bytes]:
    """Pass pieces on, and tell now and then how many have come."""
    for number, piece in enumerate(pieces, 1):
        come += len(piece)
        if number % 128 == 0:
            of = f" of {total // 2**20}" if total else ""
            say(f"{name}: {come // 2**20}{of} MiB")
        yield piece
