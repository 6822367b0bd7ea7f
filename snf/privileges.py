"""Becoming nobody in particular, who may still do what the daemon is for."""

import ctypes
import os
import pwd
import struct
from collections.abc import Collection

# capabilities(7)
CHOWN, DAC_OVERRIDE, NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 0, 1, 10, 12, 13
_NAMES = {
    CHOWN: "CAP_CHOWN",
    DAC_OVERRIDE: "CAP_DAC_OVERRIDE",
    NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
    NET_ADMIN: "CAP_NET_ADMIN",
    NET_RAW: "CAP_NET_RAW",
}

# prctl(2)
_SET_KEEPCAPS = 8
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_CAP_AMBIENT_CLEAR_ALL = 4

_VERSION_3 = 0x20080522
_SETS = struct.Struct("=6I")  # effective, permitted, inheritable; twice 32 bits

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The daemon cannot have what it needs; the text says what."""


def user(name: str) -> tuple[int, int]:
    """
    Return the numbers of a user and of its group.

    :param name: Its name, or its number.
    :raises Refused: There is none of that name.
    """
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise Refused(f"there is no user {name}") from None
    return entry.pw_uid, entry.pw_gid


def drop(name: str, kept: Collection[int]) -> None:
    """
    Become a user who keeps some capabilities of root's, for good.

    To be called before there is any other thread. Who is not root already must have the
    capabilities, and stays who it is.

    :param kept: Of the capabilities named here.
    :raises Refused: It cannot become that user, or lacks a capability.
    """
    wanted = sum(1 << capability for capability in kept)
    if os.geteuid() == 0:
        number, group = user(name)
        for capability in range(64):
            if capability not in kept:
                _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
        _called("prctl", _SET_KEEPCAPS, 1, 0, 0, 0)
        try:
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(number, number, number)
        except OSError as problem:
            raise Refused(f"cannot become {name}: {problem.strerror}") from None
    if held() & wanted != wanted:
        names = " and ".join(_NAMES[capability] for capability in sorted(kept))
        raise Refused(f"needs {names}: start it as root")
    _libc.prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _set(wanted)
    _called("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def held() -> int:
    """Return the capabilities that this process may use, a bit each."""
    sets = _SETS.unpack(_sets("capget", bytes(_SETS.size)))
    return sets[1] | sets[4] << 32


def _set(capabilities: int) -> None:
    _sets("capset", _SETS.pack(capabilities, capabilities, 0, 0, 0, 0))


def _sets(function: str, sets: bytes) -> bytes:
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(sets, _SETS.size)
    _called(function, header, data)
    return data.raw


def _called(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        raise Refused(f"{name}: {os.strerror(ctypes.get_errno())}")
