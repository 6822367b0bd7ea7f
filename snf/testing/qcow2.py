"""A whole image of an empty disk, which is small enough to be written by hand."""

import struct

_CLUSTER = 65536
_REFCOUNTS, _BLOCK, _LEVEL_1 = (_CLUSTER * at for at in (1, 2, 3))
_DISK_BYTES_A_TABLE = _CLUSTER // 8 * _CLUSTER


def empty(size: int) -> bytes:
    """Return the qcow2 of a disk of ``size`` bytes (QEMU docs/interop/qcow2.txt)."""
    tables = max(1, -(-size // _DISK_BYTES_A_TABLE))
    head = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(b"QFI\xfb", 2, 0, 0, 16, size, 0, tables, _LEVEL_1),
        *(_REFCOUNTS, 1, 0, 0),
    )
    clusters = (
        head,
        struct.pack(">Q", _BLOCK),
        struct.pack(">4H", 1, 1, 1, 1),
        b"",
    )
    return b"".join(one.ljust(_CLUSTER, b"\0") for one in clusters)
