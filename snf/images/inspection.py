"""What data claims to be: looked at while it comes, so that what is refused is refused early.

The formats are taken apart by ``oslo.utils``, as OpenStack's own services do it (see
``docs/decisions/image-inspection.md``).
"""

import logging
import struct
from pathlib import Path
from typing import Any
from uuid import UUID

from attrs import define, field
from oslo_utils.imageutils import format_inspector

from snf.core.errors import BadRequest
from snf.images import tables

# What it would say beside what we say to the user.
logging.getLogger("oslo_utils.imageutils").setLevel(logging.CRITICAL)

# All that qemu tells by what is inside.
_KNOWN = ("qcow2", "vhd", "vhdx", "vmdk", "vdi", "qed", "iso")

# An inspector misses what comes in one piece with what says that it is there.
_SLICE = 16 * 1024
# Where everything has been found, or nothing is to be.
_HEAD = 8 * 1024 * 1024

# A VMDK has a text that names its parent, and may be nothing else.
_TEXT = 64 * 1024
_DESCRIPTOR = b"# disk descriptorfile"
_PARENT_FILE = b"parentfilenamehint"

_FOOTER = 512
_VHD_MAGIC = b"conectix"
_VHD_FIXED, _VHD_DYNAMIC = 2, 3

# [MS-VHDX], 2.6.2.6: of a disk that is the difference to another.
_PARENT_LOCATOR = UUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C").bytes_le


@define(eq=False)
class Inspection:
    """
    Looks at data piece by piece.

    :ivar claimed: The format that it is said to have, one of
        :data:`snf.core.image.DISK_FORMATS`.
    :ivar most: How large the disk in it may be, in bytes.
    :ivar path: Where the data is once all has come.
    """

    claimed: str
    most: int
    path: Path
    _size: int = field(init=False, default=0)
    _inspectors: dict[str, Any] = field(init=False)
    _head: bytes = field(init=False, default=b"")
    _tail: bytes = field(init=False, default=b"")
    _safe: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._inspectors = {
            name: format_inspector.ALL_FORMATS[name]() for name in _KNOWN
        }

    def take(self, piece: bytes) -> None:
        """
        Look at some more.

        :raises BadRequest: It is not what it is said to be, or must not be.
        """
        size = _SLICE if self._size < _HEAD else len(piece)
        for start in range(0, len(piece), size):
            self._take(piece[start : start + size])

    def finish(self) -> int:
        """
        Return how large the disk is in what has come, in bytes.

        :raises BadRequest: It is not what it is said to be, or must not be.
        """
        if not self._size:
            raise BadRequest("There is no data: it is empty")
        for inspector in self._inspectors.values():
            inspector.finish()
        found = self._found()
        if self.claimed == "vhd":
            return self._vhd()
        if self.claimed == "raw":
            self._check_others(found)
            return self._size
        if self.claimed not in found:
            raise self._other(found)
        self._check_others(found)
        self._check_safe(at_end=True)
        tables.check(self.claimed, self.path, self._size)
        size = self._virtual_size()
        if not size or (self.claimed == "iso" and size > self._size):
            raise BadRequest(f"The data is no {self.claimed} that is whole")
        return self._size if self.claimed == "iso" else size

    def _take(self, piece: bytes) -> None:
        before = self._size
        self._size += len(piece)
        self._tail = (self._tail + piece)[-_FOOTER:]
        if before < _TEXT:
            self._head = (self._head + piece)[:_TEXT]
        wrong = None
        for name, inspector in list(self._inspectors.items()):
            try:
                inspector.eat_chunk(piece)
            except Exception as failure:
                # It gives up in various ways on what is of no such format.
                del self._inspectors[name]
                if name == self.claimed:
                    wrong = failure
        if wrong is not None:
            self._check_others(self._found())
            raise BadRequest(f"The data is no {self.claimed} that is whole: {wrong}")
        if before < _HEAD:
            self._judge()

    def _judge(self) -> None:
        """Refuse what can be refused already."""
        found = self._found()
        self._check_others(found)
        if self.claimed not in found:
            inspector = self._inspectors.get(self.claimed)
            # Of a fixed disk all that is there is at its end.
            if inspector is not None and inspector.complete and self.claimed != "vhd":
                raise self._other(found)
            return
        self._check_size(self._virtual_size())
        self._check_safe()

    def _found(self) -> set[str]:
        found = {
            name
            for name, inspector in self._inspectors.items()
            if _quietly(inspector, "format_match")
        }
        if self._head.lstrip().lower().startswith(_DESCRIPTOR):
            found.add("vmdk")
        return found

    def _check_others(self, found: set[str]) -> None:
        if found - {self.claimed}:
            raise self._other(found)

    def _other(self, found: set[str]) -> BadRequest:
        seen = " and ".join(sorted(found)) or "something else"
        return BadRequest(f"disk_format: the data is {seen}, not {self.claimed}")

    def _virtual_size(self) -> int:
        inspector = self._inspectors.get(self.claimed)
        return _quietly(inspector, "virtual_size") or 0

    def _check_size(self, size: int) -> None:
        if self.claimed != "iso" and size > self.most:
            raise BadRequest(
                f"The disk in the data has {size} bytes; {self.most} are allowed"
            )

    def _check_safe(self, at_end: bool = False) -> None:
        inspector = self._inspectors.get(self.claimed)
        if self._safe or not (at_end or (inspector and inspector.complete)):
            return
        if inspector is None:
            raise BadRequest(f"The data is no {self.claimed} that is whole")
        try:
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as failure:
            why = ", ".join(str(one) for one in failure.failures.values())
            raise BadRequest(f"The {self.claimed} is refused: {why}") from None
        except format_inspector.ImageFormatError as failure:
            raise BadRequest(
                f"The data is no {self.claimed} that is whole: {failure}"
            ) from None
        self._check_more(inspector)
        self._check_size(self._virtual_size())
        self._safe = True

    def _check_more(self, inspector: Any) -> None:
        """Refuse what the inspectors do not look for."""
        if self.claimed == "qcow2":
            (encrypted,) = struct.unpack(">I", inspector.region("header").data[32:36])
            if encrypted:
                raise BadRequest("The qcow2 is refused: it is encrypted")
        if self.claimed == "vmdk" and _PARENT_FILE in self._head.lower():
            raise BadRequest(
                "The vmdk is refused: it is the difference to another disk"
            )
        if (
            self.claimed == "vhdx"
            and _PARENT_LOCATOR in inspector.region("metadata").data
        ):
            raise BadRequest(
                "The vhdx is refused: it is the difference to another disk"
            )

    def _vhd(self) -> int:
        """Return the size of the disk in a VHD, whose footer is at its end."""
        footer = self._tail
        self._check_others(self._found())
        if len(footer) < _FOOTER or not footer.startswith(_VHD_MAGIC):
            raise BadRequest("The data is no vhd that is whole: it has no footer")
        size, _, kind = struct.unpack(">QII", footer[48:64])
        if kind not in (_VHD_FIXED, _VHD_DYNAMIC):
            raise BadRequest("The vhd is refused: it is the difference to another disk")
        if kind == _VHD_FIXED and size > self._size - _FOOTER:
            raise BadRequest("The data is no vhd that is whole: it is too short")
        self._check_size(size)
        return size


def _quietly(inspector: Any, name: str) -> Any:
    """Return what an inspector says; None when it knows too little to say it."""
    try:
        return getattr(inspector, name)
    except (AttributeError, KeyError, struct.error):
        return None
