"""A FAT16 file system of a fixed size, written from nothing.

The layout is that of Microsoft's "FAT: General Overview of On-Disk Format", version
1.03, and its long names: 512 bytes a sector, four sectors a cluster, two tables.
"""

import struct
from dataclasses import dataclass, field

SIZE = 16 * 1024 * 1024

_SECTOR = 512
_SECTORS = SIZE // _SECTOR
_CLUSTER = 4 * _SECTOR
_RESERVED = 4
_TABLE_SECTORS = 32
_ROOT_ENTRIES = 512
_ENTRY = 32
_ROOT_AT = (_RESERVED + 2 * _TABLE_SECTORS) * _SECTOR
_DATA_AT = _ROOT_AT + _ROOT_ENTRIES * _ENTRY
_CLUSTERS = (SIZE - _DATA_AT) // _CLUSTER

_VOLUME, _DIRECTORY, _ARCHIVE, _LONG = 0x08, 0x10, 0x20, 0x0F
_MEDIA = 0xF8
_LAST = 0xFFFF
_LONG_CHARACTERS = 13
_LONGEST_NAME = 255


class DoesNotFit(Exception):
    """The files are more than the file system holds."""


@dataclass
class _Folder:
    """A directory that is being filled; ``parent`` and ``cluster`` are 0 of the root."""

    cluster: int
    parent: int
    folders: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)


def image(files, label, serial, when):
    """
    Return the whole file system.

    :param files: Contents by path; directories are made as needed.  Names are ASCII.
    :param label: Up to eleven ASCII characters, which stay in the case they have.
    :param serial: A number of 32 bits.
    :param when: A ``struct_time`` for all files.
    :raises DoesNotFit: There is too much.
    """
    return _Writer(label, serial, when).image(files)


class _Writer:
    def __init__(self, label, serial, when):
        self.label = label.encode("ascii").ljust(11)
        self.serial = serial
        self.time = (
            when.tm_hour << 11 | when.tm_min << 5 | when.tm_sec // 2,
            max(0, when.tm_year - 1980) << 9 | when.tm_mon << 5 | when.tm_mday,
        )
        self.data = bytearray(SIZE)
        self.next = 2  # the first cluster that can hold anything

    def image(self, files):
        self._boot_sector()
        for table in range(2):
            at = (_RESERVED + table * _TABLE_SECTORS) * _SECTOR
            struct.pack_into("<HH", self.data, at, 0xFF00 | _MEDIA, _LAST)
        root = _Folder(0, 0)
        for path, contents in sorted(files.items()):
            *folders, name = path.split("/")
            folder = root
            for one in folders:
                folder = folder.folders.setdefault(one, _Folder(0, 0))
            folder.files[name] = contents
        self._folder(root, top=True)
        return bytes(self.data)

    def _boot_sector(self):
        struct.pack_into(
            "<3s8sHBHBHHBHHHII",
            self.data,
            0,
            b"\xeb\x3c\x90",
            b"CYCLADES",
            _SECTOR,
            _CLUSTER // _SECTOR,
            _RESERVED,
            2,
            _ROOT_ENTRIES,
            _SECTORS,
            _MEDIA,
            _TABLE_SECTORS,
            32,
            64,
            0,
            0,
        )
        struct.pack_into(
            "<BBBI11s8s",
            self.data,
            36,
            0x80,
            0,
            0x29,
            self.serial,
            self.label,
            b"FAT16   ",
        )
        self.data[510:512] = b"\x55\xaa"

    def _folder(self, folder, top=False):
        """Lay out a directory whose cluster is known, and all that is in it."""
        entries = []
        if top:
            entries.append(self._entry(self.label, _VOLUME, 0, 0))
        else:
            entries.append(self._entry(b".".ljust(11), _DIRECTORY, folder.cluster, 0))
            entries.append(self._entry(b"..".ljust(11), _DIRECTORY, folder.parent, 0))
        names = [*folder.folders, *folder.files]
        shorts = dict(zip(names, _short_names(names), strict=True))
        for name, child in folder.folders.items():
            child.cluster = self._allocate(_length(child))
            child.parent = folder.cluster
            entries += _long_entries(name, shorts[name])
            entries.append(self._entry(shorts[name], _DIRECTORY, child.cluster, 0))
            self._folder(child)
        for name, contents in folder.files.items():
            cluster = self._allocate(len(contents)) if contents else 0
            self._write(cluster, contents)
            entries += _long_entries(name, shorts[name])
            entries.append(self._entry(shorts[name], _ARCHIVE, cluster, len(contents)))
        if top:
            if len(entries) > _ROOT_ENTRIES:
                raise DoesNotFit
            body = b"".join(entries)
            self.data[_ROOT_AT : _ROOT_AT + len(body)] = body
        else:
            self._write(folder.cluster, b"".join(entries))

    def _allocate(self, length):
        """Return the first of as many clusters in a row as a length takes."""
        count = -(-length // _CLUSTER)
        first, self.next = self.next, self.next + count
        if self.next > _CLUSTERS + 2:
            raise DoesNotFit
        for cluster in range(first, first + count):
            following = cluster + 1 if cluster + 1 < first + count else _LAST
            for table in range(2):
                at = (_RESERVED + table * _TABLE_SECTORS) * _SECTOR + 2 * cluster
                struct.pack_into("<H", self.data, at, following)
        return first

    def _write(self, cluster, contents):
        at = _DATA_AT + (cluster - 2) * _CLUSTER
        self.data[at : at + len(contents)] = contents

    def _entry(self, short, kind, cluster, length):
        time, date = self.time
        return struct.pack(
            "<11sBBBHHHHHHHI",
            *(short, kind, 0, 0),
            *(time, date, date, 0),
            *(time, date, cluster, length),
        )


def _length(folder):
    """Return how many bytes the entries of a directory below the root take."""
    names = [*folder.folders, *folder.files]
    return _ENTRY * (2 + sum(1 + _long_count(name) for name in names))


def _long_count(name):
    return -(-len(name) // _LONG_CHARACTERS)


def _short_names(names):
    """Return names of eight and three characters, each another: FILE0001 and so on."""
    return [f"FILE{number:04}   ".encode("ascii") for number in range(len(names))]


def _long_entries(name, short):
    """Return the entries that give a file its name, the last part first."""
    if not name.isascii() or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"{name!r} is no name for this file system")
    checksum = 0
    for byte in short:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    count = _long_count(name)
    entries = []
    for number in range(count, 0, -1):
        part = name[(number - 1) * _LONG_CHARACTERS : number * _LONG_CHARACTERS]
        coded = part.encode("utf-16-le")
        if len(part) < _LONG_CHARACTERS:
            coded += b"\0\0"
        coded = coded.ljust(2 * _LONG_CHARACTERS, b"\xff")
        entries.append(
            struct.pack(
                "<B10sBBB12sH4s",
                *(number | (0x40 if number == count else 0), coded[:10]),
                *(_LONG, 0, checksum, coded[10:22], 0, coded[22:]),
            )
        )
    return entries
