"""The instance's disks, and writing an image onto one."""

import fcntl
import os
import stat
import struct
from dataclasses import dataclass

import image
import partitions
import tool
from failure import Failed

CONFIG_DRIVE = "configdrive"
"""The name at Ganeti of the disk that is the config drive."""

_BLKZEROOUT = 0x127F  # linux/fs.h
_ENDS = 1024 * 1024
_PIECE = 64 * 1024
_MOST_DISKS = 64


@dataclass(frozen=True)
class Disk:
    """A disk: a plain file or a block device."""

    path: str
    name: str

    @property
    def is_file(self):
        """Whether it is a plain file."""
        return stat.S_ISREG(os.stat(self.path).st_mode)

    @property
    def size(self):
        """Its size in bytes."""
        with open(self.path, "rb") as file:
            return file.seek(0, os.SEEK_END)


def all_of(environment):
    """
    Return the instance's disks, in their order.

    :raises Failed: Ganeti does not say where they are.
    """
    try:
        count = min(int(environment.get("DISK_COUNT", "0")), _MOST_DISKS)
        return [
            Disk(environment[f"DISK_{at}_PATH"], environment.get(f"DISK_{at}_NAME", ""))
            for at in range(count)
        ]
    except (ValueError, KeyError) as problem:
        raise Failed(f"Ganeti's environment: {problem}") from None


def write_image(disk, path, form, limits, root, progress):
    """
    Write an image onto a disk, and make its partition table reach the disk's end.

    :param path: Of the image.
    :param form: Its format, as of ``image.DRIVERS``.
    :param root: The number of the root partition, if the image says so.
    :param progress: Called with percent.
    :return: What became of the partition table, in a few words.
    :raises Failed: The image is refused, or cannot be written.
    """
    size, whole = image.check(path, form, limits), disk.size
    if size > whole:
        raise Failed(
            f"the image is refused: it is a disk of {size} bytes,"
            f" and the server's has {whole}"
        )
    _empty(disk, size, whole)
    arguments = ["convert", "-n", "-p", "-f", image.DRIVERS[form], "-O", "raw"]
    arguments += ["-t", _caching(disk.path, os.O_WRONLY), "-T", _caching(path, 0)]
    if disk.is_file:
        arguments.append("--target-is-zero")
    what = "the image cannot be written"
    tool.run(what, [*arguments, path, disk.path], limits, progress)
    if form == "iso":
        return "nothing to grow"
    with open(disk.path, "r+b") as file:
        done = partitions.grow(file, whole, root)
        _sync(file)
    return done


def write_drive(disk, content):
    """
    Write the config drive's file system onto its disk.

    :raises Failed: The disk is too small.
    """
    if disk.size < len(content):
        raise Failed(
            f"the disk {CONFIG_DRIVE} has {disk.size} bytes, and needs {len(content)}"
        )
    if disk.is_file:
        _clear(disk.path, disk.size)
    with open(disk.path, "r+b") as file:
        for at in range(0, len(content), _PIECE):
            piece = content[at : at + _PIECE]
            if not disk.is_file or any(piece):  # what is empty there stays a hole
                file.seek(at)
                file.write(piece)
        _sync(file)


def _empty(disk, size, whole):
    """Have nothing on the disk that is of another system than the image's."""
    if disk.is_file:
        _clear(disk.path, whole)
        return
    # What can mislead is where tables and superblocks are; the rest is Ganeti's
    # business (gnt-cluster modify --prealloc-wipe-disks), for it takes its time.
    with open(disk.path, "r+b") as file:
        for at in {size, max(size, whole - _ENDS)}:
            at = at // 512 * 512
            length = min(_ENDS, whole - at) // 512 * 512
            if length:
                _zero(file, at, length)


def _clear(path, size):
    """Have a plain file be one hole."""
    os.truncate(path, 0)
    os.truncate(path, size)


def _zero(device, at, length):
    try:
        fcntl.ioctl(device, _BLKZEROOUT, struct.pack("QQ", at, length))
    except OSError:
        device.seek(at)
        device.write(bytes(length))


def _caching(path, flags):
    """Return how ``qemu-img`` is to open a file: not every file system goes without."""
    try:
        os.close(os.open(path, flags | os.O_DIRECT))
    except OSError:
        return "writeback"
    return "none"


def _sync(file):
    file.flush()
    os.fsync(file.fileno())
