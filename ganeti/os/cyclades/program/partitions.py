"""The partition table of a disk that is larger than the image written to it.

A GPT gets its second copy at the disk's end (UEFI Specification, chapter 5), and the
last partition is made to reach it if a Linux system would want that: the guest grows
the file system in it.  Read in Python and checked field by field, since whoever
uploaded the image wrote it.
"""

import struct
import zlib
from uuid import UUID

_SECTOR = 512
_ALIGN = 2048  # sectors: 1 MiB

_GPT_GROWS = {
    UUID(text).bytes_le
    for text in (
        "0fc63daf-8483-4772-8e79-3d69d8477de4",  # Linux file system
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",  # Linux root of x86-64,
        "b921b045-1df0-41c3-af44-4c6f280d3fae",  # of arm64,
        "44479540-f297-41b2-9af7-d131d5f0458a",  # of x86
        "e6d6d379-f507-44c2-a23c-238f2a3df928",  # Linux LVM
    )
}
_MBR_GROWS = {0x83, 0x8E}
_GPT_PROTECTION = 0xEE

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_LARGEST_TABLE = 1024 * 1024


def grow(file, size, root=""):
    """
    Have a partition table reach the disk's end; return what was done, in a few words.

    What is not understood is left as it is.

    :param file: The disk, open for reading and writing.
    :param size: Of the disk, in bytes.
    :param root: The number of the root partition, if the image says so: no other grows.
    """
    sectors = size // _SECTOR
    file.seek(0)
    mbr = bytearray(file.read(_SECTOR))
    if len(mbr) < _SECTOR or mbr[510:] != b"\x55\xaa":
        return "no partition table"
    if any(mbr[446 + 16 * at + 4] == _GPT_PROTECTION for at in range(4)):
        return _Gpt(file, sectors, mbr).grow(root)
    return _grow_mbr(file, sectors, mbr, root)


def _grow_mbr(file, sectors, mbr, root):
    used = []
    for at in range(4):
        flag, kind, first, count = struct.unpack_from("<B3xB3xII", mbr, 446 + 16 * at)
        if not kind:
            continue
        if flag not in (0, 0x80) or not first or not count or first + count > sectors:
            return "no partition table"
        used.append((first, count, kind, at))
    if not used:
        return "no partitions"
    first, count, kind, at = max(used)
    end = min(sectors, first + 0xFFFF_FFFF) // _ALIGN * _ALIGN
    if kind not in _MBR_GROWS or root not in ("", str(at + 1)) or end <= first + count:
        return "nothing to grow"
    entry = 446 + 16 * at
    mbr[entry + 5 : entry + 8] = b"\xfe\xff\xff"  # beyond cylinders and heads
    struct.pack_into("<I", mbr, entry + 12, end - first)
    file.seek(0)
    file.write(mbr)
    return f"partition {at + 1} grown"


class _Gpt:
    def __init__(self, file, sectors, mbr):
        self.file = file
        self.sectors = sectors
        self.mbr = mbr

    def grow(self, root):
        header = self._header(1)
        if header is None:
            return "a GPT that is damaged"
        (_, revision, length, _, _, _, other, first, last, disk, at, count, each, _) = (
            header
        )
        entries = self._entries(at, count, each, header[-1])
        if entries is None or at <= 1:
            return "a GPT that is damaged"
        table = -(-len(entries) // _SECTOR)
        end = self.sectors - table - 2  # the last usable sector
        if end < last or first > end or at + table > first:
            return "nothing to grow"
        done = self._stretch(entries, count, each, end, root)
        self._forget(other)
        copies = ((1, self.sectors - 1, at), (self.sectors - 1, 1, end + 1))
        for mine, theirs, table_at in copies:
            fields = [revision, length, 0, 0, mine, theirs, first, end, disk]
            fields += [table_at, count, each, zlib.crc32(entries)]
            self._write(table_at, entries)
            self._write(mine, _sealed(fields))
        self._protect()
        return done

    def _header(self, sector):
        """Return the fields of the header in a sector; None if it is not whole."""
        self.file.seek(sector * _SECTOR)
        block = self.file.read(_SECTOR)
        if len(block) < _SECTOR:
            return None
        fields = _HEADER.unpack_from(block)
        length = fields[2]
        if fields[0] != b"EFI PART" or not _HEADER.size <= length <= _SECTOR:
            return None
        bare = block[:16] + bytes(4) + block[20:length]
        return fields if zlib.crc32(bare) == fields[3] else None

    def _entries(self, at, count, each, checksum):
        if each < 128 or each % 128 or not 0 < count * each <= _LARGEST_TABLE:
            return None
        if at >= self.sectors:
            return None
        self.file.seek(at * _SECTOR)
        entries = bytearray(self.file.read(count * each))
        whole = len(entries) == count * each and zlib.crc32(entries) == checksum
        return entries if whole else None

    def _stretch(self, entries, count, each, end, root):
        """Have the last partition reach the end, if it is one that is to grow."""
        used = []
        for number in range(count):
            kind, first, last = struct.unpack_from("<16s16xQQ", entries, number * each)
            if any(kind):
                used.append((first, last, kind, number))
        if not used:
            return "no partitions"
        _, last, kind, number = max(used)
        aligned = (end + 1) // _ALIGN * _ALIGN - 1
        if kind not in _GPT_GROWS or root not in ("", str(number + 1)):
            return "nothing to grow"
        if aligned <= last:
            return "nothing to grow"
        struct.pack_into("<Q", entries, number * each + 40, aligned)
        return f"partition {number + 1} grown"

    def _forget(self, sector):
        """Clear the second header where it was: two would be one too many."""
        if 1 < sector < self.sectors and self._header(sector) is not None:
            self._write(sector, bytes(_SECTOR))

    def _protect(self):
        for at in range(4):
            entry = 446 + 16 * at
            if self.mbr[entry + 4] == _GPT_PROTECTION:
                (first,) = struct.unpack_from("<I", self.mbr, entry + 8)
                if first == 1:
                    rest = min(self.sectors - 1, 0xFFFF_FFFF)
                    struct.pack_into("<I", self.mbr, entry + 12, rest)
        self._write(0, self.mbr)

    def _write(self, sector, content):
        self.file.seek(sector * _SECTOR)
        self.file.write(content)


def _sealed(fields):
    """Return a header of 92 bytes in a sector, with its checksum."""
    fields[1] = _HEADER.size
    header = bytearray(_HEADER.pack(b"EFI PART", *fields))
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    return bytes(header).ljust(_SECTOR, b"\0")
