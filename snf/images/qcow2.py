"""Whether a qcow2 has all that its tables speak of (docs/interop/qcow2.txt of QEMU)."""

import struct
from pathlib import Path
from typing import BinaryIO

from snf.core.errors import BadRequest

_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62

# What QEMU takes: QCOW_MAX_L1_SIZE, and clusters of up to 2 MiB.
_L1_AT_MOST = 32 * 1024 * 1024 // 8
_CLUSTER_BITS = range(9, 22)


def check_tables(path: Path, size: int) -> None:
    """
    Return if all that the tables of a file name is in it.  Blocks.

    :param size: Of the file, in bytes.
    :raises BadRequest: It is not: the file has been cut off, or is not whole.
    """
    with path.open("rb") as file:
        head = file.read(72)
        cluster_bits, disk = struct.unpack(">IQ", head[20:32])
        l1_size, l1_offset, refcounts, refcount_clusters = struct.unpack(
            ">IQQI", head[36:60]
        )
        if cluster_bits not in _CLUSTER_BITS or l1_size > _L1_AT_MOST:
            raise BadRequest("The data is no qcow2 that is whole: its header is wrong")
        cluster = 1 << cluster_bits
        # So many does the disk need, and no more are looked at.
        needed = -(-disk // (cluster * (cluster // 8)))
        if needed > l1_size:
            raise BadRequest("The data is no qcow2 that is whole: its header is wrong")
        _check_inside(refcounts, refcount_clusters << cluster_bits, size)
        for table in _offsets(file, l1_offset, needed, size):
            entries = _offsets(file, table, cluster // 8, size)
            _check_inside(max(entries, default=0), 1, size)


def _offsets(file: BinaryIO, start: int, count: int, size: int) -> list[int]:
    """Return the places in a file that a table in it names."""
    _check_inside(start, count * 8, size)
    file.seek(start)
    entries = struct.unpack(f">{count}Q", file.read(count * 8))
    return [entry & _OFFSET for entry in entries if entry and not entry & _COMPRESSED]


def _check_inside(start: int, length: int, size: int) -> None:
    if start + length > size:
        raise BadRequest(
            "The data is no qcow2 that is whole: it ends before what its tables name"
        )
