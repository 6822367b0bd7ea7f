"""What an image's file is, before anything of it is believed.

``qemu-img`` is told the format, and so guesses nothing.  Still some formats can name
other files, which it would read as root: that is looked for here, first in the file's
header and then in what ``qemu-img info`` makes of it.
"""

import json
import re
import struct
from dataclasses import replace

import tool
from failure import Failed

DRIVERS = {
    "raw": "raw",
    "iso": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vhd": "vpc",
    "vhdx": "vhdx",
}
"""What ``qemu-img`` calls the formats."""

# Looking is quick, unless somebody has made it slow on purpose.
_LOOK_CPU_S = 60
_LOOK_TIMEOUT_S = 120.0

_CHECKED = ("qcow2", "vmdk", "vhdx")
_ONLY_LEAKS = 3  # space that nothing refers to

_SECTOR = 512
_LARGEST_DESCRIPTOR = 64 * 1024
_QCOW2_DATA_FILE = 1 << 2
_VHD_KINDS = (2, 3)  # fixed, dynamic; 4 is what differs from a parent


def check(path, form, limits):
    """
    Return the size of the disk that a file stands for, in bytes.

    :raises Failed: It is not of the format, or is not all there is to the image.
    """
    with open(path, "rb") as file:
        wrong = _CHECKS[form](file)
    if wrong:
        raise Failed(f"the image is refused: {wrong}")
    driver = DRIVERS[form]
    limits = replace(
        limits,
        cpu_s=min(_LOOK_CPU_S, limits.cpu_s),
        timeout_s=min(_LOOK_TIMEOUT_S, limits.timeout_s),
    )
    text = tool.run(
        "the image cannot be read",
        ["info", "-f", driver, "--output=json", path],
        limits,
    )
    try:
        told = json.loads(text)
        size, inner = told["virtual-size"], told.get("format-specific") or {}
        others = _others(told, inner.get("data") or {}, path)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failed("the image cannot be read: qemu-img says nothing of it") from None
    if others:
        raise Failed(f"the image is refused: {others}")
    if form in _CHECKED:
        # What is missing at its end would be read as zeros, without a word.
        what = "the image is refused: it is damaged"
        arguments = ["check", "-q", "-f", driver, path]
        tool.run(what, arguments, limits, good=(0, _ONLY_LEAKS))
    return size


def _others(told, data, path):
    if any(key.startswith(("backing", "full-backing")) for key in told):
        return "it has a backing file"
    if data.get("data-file"):
        return "it has an external data file"
    if told.get("encrypted"):
        return "it is encrypted"
    extents = data.get("extents") or ()
    if any(extent.get("filename") != path for extent in extents):
        return "it is in more than one file"
    return ""


def _anything(_file):
    return ""


def _qcow2(file):
    header = file.read(104)
    if len(header) < 72 or header[:4] != b"QFI\xfb":
        return "it is not of the format qcow2"
    version, backing = struct.unpack_from(">IQ", header, 4)
    (encryption,) = struct.unpack_from(">I", header, 32)
    if version not in (2, 3):
        return f"it is of version {version} of qcow2"
    if backing:
        return "it has a backing file"
    if encryption:
        return "it is encrypted"
    if version == 3 and len(header) == 104:
        (features,) = struct.unpack_from(">Q", header, 72)
        if features & _QCOW2_DATA_FILE:
            return "it has an external data file"
    return ""


def _vmdk(file):
    header = file.read(44)
    if len(header) < 44 or header[:4] != b"KDMV":
        return "it is not one whole file of the format vmdk"
    capacity, _grain, at, sectors = struct.unpack_from("<QQQQ", header, 12)
    length = sectors * _SECTOR
    if not capacity or not at or not 0 < length <= _LARGEST_DESCRIPTOR:
        return "it has no description of its own"
    file.seek(at * _SECTOR)
    text = file.read(length).split(b"\0")[0].decode("latin-1")
    kind = re.search(r'^\s*createType\s*=\s*"([^"]*)"', text, re.M | re.I)
    if not kind or kind[1] not in ("monolithicSparse", "streamOptimized"):
        return "it is not one whole file of the format vmdk"
    extents = re.findall(r"^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)", text, re.M | re.I)
    if extents != ["SPARSE"]:
        return "it is in more than one file"
    if re.search(r"^\s*parentFileNameHint", text, re.M | re.I):
        return "it has a backing file"
    return ""


def _vhd(file):
    file.seek(max(0, file.seek(0, 2) - _SECTOR))
    footer = file.read(_SECTOR)
    if footer[:8] != b"conectix" or len(footer) < _SECTOR:
        return "it is not of the format vhd, or has lost its end"
    (kind,) = struct.unpack_from(">I", footer, 60)
    return "" if kind in _VHD_KINDS else "it has a backing file"


def _vhdx(file):
    return "" if file.read(8) == b"vhdxfile" else "it is not of the format vhdx"


_CHECKS = {
    "raw": _anything,
    "iso": _anything,
    "qcow2": _qcow2,
    "vmdk": _vmdk,
    "vhd": _vhd,
    "vhdx": _vhdx,
}
