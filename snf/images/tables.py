"""Whether a disk image has all that its tables speak of: that it has not been cut off.

All functions block; they are for threads.  Sources: docs/interop/qcow2.txt of QEMU;
VMware's Virtual Disk Format 5.0; [MS-VHDX].
"""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from attrs import frozen

from snf.core.errors import BadRequest

_SECTOR = 512

_QCOW2_OFFSET = 0x00FFFFFFFFFFFE00
_QCOW2_COMPRESSED = 1 << 62
# What QEMU takes: QCOW_MAX_L1_SIZE, and clusters of up to 2 MiB.
_L1_AT_MOST = 32 * 1024 * 1024 // 8
_CLUSTER_BITS = range(9, 22)

# block/vmdk.c: tables of at most so many grains.
_GRAINS_AT_MOST = 512
_GD_AT_END = 2**64 - 1

_VHDX_REGIONS = 192 * 1024
_VHDX_REGIONS_AT_MOST = 2047
_VHDX_BAT = UUID("2DC27766-F623-4200-9D64-115E9BFD4A08").bytes_le
_VHDX_OFFSET = 0xFFFFFFFFFFF00000
_VHDX_PRESENT = (6, 7)


def check(claimed: str, path: Path, size: int) -> None:
    """
    Return if all that the tables in a file name is in it.

    :param claimed: Its format; of most there are no tables.
    :param size: Of the file, in bytes.
    :raises BadRequest: It is not: the file has been cut off, or is not whole.
    """
    look = _CHECKS.get(claimed)
    if look is None:
        return
    with path.open("rb") as file:
        try:
            look(_Image(claimed, file, size))
        except struct.error:
            raise BadRequest(f"The data is no {claimed} that is whole") from None


@frozen
class _Image:
    """A file that is looked into."""

    format: str
    file: BinaryIO
    size: int

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes, which must be there."""
        self.must_have(start, length)
        self.file.seek(start)
        return self.file.read(length)

    def numbers(self, start: int, count: int, kind: str) -> tuple[int, ...]:
        """Return a table of numbers; ``kind`` is one of struct's, with the order."""
        one = struct.calcsize(kind)
        return struct.unpack(
            f"{kind[0]}{count}{kind[1]}", self.read(start, count * one)
        )

    def must_have(self, start: int, length: int = 1) -> None:
        """
        Return if there are these bytes.

        :raises BadRequest: There are not.
        """
        if start + length > self.size:
            raise BadRequest(
                f"The data is no {self.format} that is whole: it ends before what its "
                "tables name"
            )

    def must_be(self, true: bool) -> None:
        """
        Return if something holds.

        :raises BadRequest: It does not.
        """
        if not true:
            raise BadRequest(
                f"The data is no {self.format} that is whole: its header is wrong"
            )


def _qcow2(image: _Image) -> None:
    head = image.read(0, 72)
    cluster_bits, disk = struct.unpack(">IQ", head[20:32])
    l1_size, l1, refcounts, refcount_clusters = struct.unpack(">IQQI", head[36:60])
    image.must_be(cluster_bits in _CLUSTER_BITS and l1_size <= _L1_AT_MOST)
    cluster = 1 << cluster_bits
    # So many does the disk need, and no more are looked at.
    needed = -(-disk // (cluster * (cluster // 8)))
    image.must_be(needed <= l1_size)
    image.must_have(refcounts, refcount_clusters << cluster_bits)
    for table in _clusters(image, l1, needed):
        image.must_have(max(_clusters(image, table, cluster // 8), default=0))


def _clusters(image: _Image, start: int, count: int) -> list[int]:
    """Return where the clusters are that a table names."""
    return [
        entry & _QCOW2_OFFSET
        for entry in image.numbers(start, count, ">Q")
        if entry and not entry & _QCOW2_COMPRESSED
    ]


def _vmdk(image: _Image) -> None:
    head = image.read(0, _SECTOR)
    capacity, grain = struct.unpack("<QQ", head[12:28])
    (grains,) = struct.unpack("<I", head[44:48])
    (directory,) = struct.unpack("<Q", head[56:64])
    if directory == _GD_AT_END:
        # The same header again, before the last sector.
        head = image.read(image.size - 2 * _SECTOR, _SECTOR)
        (directory,) = struct.unpack("<Q", head[56:64])
    image.must_be(bool(grain) and 0 < grains <= _GRAINS_AT_MOST)
    count = -(-capacity // (grain * grains))
    for table in image.numbers(directory * _SECTOR, count, "<I"):
        if table:
            places = image.numbers(table * _SECTOR, grains, "<I")
            image.must_have(max(places) * _SECTOR)


def _vhdx(image: _Image) -> None:
    head = image.read(_VHDX_REGIONS, 64 * 1024)
    (count,) = struct.unpack("<I", head[8:12])
    image.must_be(count <= _VHDX_REGIONS_AT_MOST)
    for start in range(16, 16 + 32 * count, 32):
        if head[start : start + 16] == _VHDX_BAT:
            place, length = struct.unpack("<QI", head[start + 16 : start + 28])
            blocks = image.numbers(place, length // 8, "<Q")
            used = [one & _VHDX_OFFSET for one in blocks if one & 7 in _VHDX_PRESENT]
            image.must_have(max(used, default=0))
            return
    image.must_be(False)


_CHECKS: Mapping[str, Callable[[_Image], None]] = {
    "qcow2": _qcow2,
    "vmdk": _vmdk,
    "vhdx": _vhdx,
}
