"""Having the processor soon, for a process that needs it often and never long."""

import ctypes
import os
import struct

# sched_setattr(2): struct sched_attr.
_ATTRIBUTES = struct.Struct("=IIQiI3Q2I")
# Not in Debian 12's C library.
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NS = 100_000  # the shortest that there is

_libc = ctypes.CDLL(None, use_errno=True)


def be_prompt() -> bool:
    """
    Have this thread run for shorter times and sooner when it wakes, but no more in all.

    Guests that compute leave no processor of their node idle: who answers others waits for
    the end of a time slice otherwise, which is milliseconds. Linux orders by when slices
    would end (from 6.12 on as processes want them; older kernels pass over it).

    :return: Whether the kernel took it; one with another way of scheduling stays as it is.
    """
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _ATTRIBUTES.pack(
        *(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, _SLICE_NS, 0, 0, 0, 0)
    )
    return not _libc.syscall(number, 0, wanted, 0)
