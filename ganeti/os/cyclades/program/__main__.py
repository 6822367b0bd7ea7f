"""snf-os: fills the disks of a new instance on a Ganeti node.

Commands:

create  Write the image onto the system disk, and the config drive, as the OS parameters
        and Ganeti's other variables say (man ganeti-os-interface).  Without an image
        the system disk stays as it is.
verify  Say which OS parameter makes no sense, if one does.
capture Called by Ganeti's hook: have an image of the instance's disk made, if its tags
        say so and it is on this node; return once it is sure of which moment it will be.
capturing  What that leaves behind, and what makes the image.

Whatever fails says why in one line on standard error, which Ganeti shows as the job's
error, and exits with 1.  Standard library of Python 3.11, util-linux and qemu-utils.
"""

import os
import sys
import time
import traceback
import zlib

import capture
import disk
import drive
import fat
import fetch
import guest
import parameters
import settings
from failure import Failed
from news import News
from system import System

_MOST_GUEST_BYTES = 8 * 1024 * 1024


def main(arguments, environment):
    """Carry out one command."""
    command = arguments[0] if arguments else ""
    if command in ("capture", "capturing"):
        _capture(command, environment)
        return
    given = parameters.read(environment)
    told = guest.unpack(given.guest) if given.guest else None
    if command == "create":
        found = settings.load(environment.get("SNF_OS_CONFIG", settings.FILE))
        news = News(
            environment.get("INSTANCE_NAME", ""), found.news.spool, found.news.every_s
        )
        try:
            create(environment, given, told, found, news)
        except (Failed, OSError) as failure:
            news.error(_line(failure))
            raise
    elif command != "verify":
        raise Failed("usage: snf-os create|verify|capture")


def _capture(command, environment):
    if command == "capture":
        capture.begin(environment, os.path.dirname(os.path.abspath(__file__)))
    else:
        found = settings.load(environment.get("SNF_OS_CONFIG", settings.FILE))
        capture.work(environment, found)


def create(environment, given, told, found, news):
    """
    Fill the disks.

    :param given: The ``Parameters``.
    :param told: The ``Guest``; None if they do not say, or only where it is to be had.
    :param found: The ``Settings``.
    """
    disks = disk.all_of(environment)
    drives = [one for one in disks if one.name == disk.CONFIG_DRIVE]
    if told is None and given.guest_url:
        source = fetch.Source("the server's data", given.guest_url, found.fetch)
        told = guest.parse(source.body(_MOST_GUEST_BYTES))
    if told and not drives and (told.admin_pass or told.files):
        raise Failed(f"there is no disk {disk.CONFIG_DRIVE} for the server's data")
    # Without the disk the guest asks the metadata service.
    content = _file_system(told) if told and drives else b""
    if given.image_sha256:
        if not disks or disks[0] in drives:
            raise Failed("there is no disk for the image")
        root = told.properties.get("root_partition", "") if told else ""
        System(given, found, news).fill(disks[0], root)
    if content:
        disk.write_drive(drives[0], content)
    if given.image_sha256:
        news.progress(100)


def _file_system(told):
    serial = zlib.crc32(told.uuid.encode())
    try:
        return fat.image(drive.files(told), "config-2", serial, time.gmtime())
    except fat.DoesNotFit:
        raise Failed("the server's data is more than the config drive holds") from None


def _line(problem):
    """Return why something ended, in one line that has nothing secret in it."""
    if isinstance(problem, Failed):
        return str(problem)
    if isinstance(problem, OSError):
        return f"{problem.filename or 'a file'}: {problem.strerror}"
    # The text of any other may have anything in it.
    last = traceback.extract_tb(problem.__traceback__)[-1]
    where = f"{os.path.basename(last.filename)}:{last.lineno}"
    return f"a bug: {type(problem).__name__} at {where}"


if __name__ == "__main__":
    try:
        main(sys.argv[1:], os.environ)
    except Exception as problem:
        print(f"snf-os: {_line(problem)}", file=sys.stderr)
        sys.exit(1)
