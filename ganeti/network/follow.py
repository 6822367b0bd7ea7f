"""Guests that are migrated to this node: their routed NICs, from the first frame on.

Ganeti sets up a routed NIC on its new node a second or two after the guest runs there:
it asks once a second whether the memory has been copied.  Until then nothing would reach
the guest.  So a process waits here from before the migration on.  It sets up the NIC as
soon as there is its tap, but leaves what leads to it where the guest still is; and takes
that over when the first frame comes from the tap, which QEMU sends for the guest when it
goes on (net/announce.c).
"""

import json
import os
import select
import socket
import time
from pathlib import Path

import kernel
from nic import KEYS

_ALL = 0x0003
_OUTGOING = 4
"""The kernel's ETH_P_ALL and PACKET_OUTGOING."""

_EVERY_S = 0.1
# Disks may have to be brought in line before there is a tap.
_LONGEST_S = 3600
# The same where the node does not hear of jobs: then Ganeti sets up what comes later.
_UNHEARD_S = 600

_MIGRATION = "OP_INSTANCE_MIGRATE"
_ENDED = ("success", "error", "canceled")


def expected(environment):
    """
    Return the routed NICs of the instance that a hook says is to come to this node.

    Each is an environment as for ``up``, without INTERFACE, which is not known yet.
    """
    target = environment.get("GANETI_NEW_PRIMARY", "")
    host = socket.gethostname()
    if not target or (host != target and socket.getfqdn() != target):
        return []
    found = []
    for index in range(int(environment.get("GANETI_INSTANCE_NIC_COUNT") or 0)):
        prefix = f"GANETI_INSTANCE_NIC{index}_"
        nic = {key: environment.get(prefix + key, "") for key in KEYS}
        nic |= {
            "INTERFACE_INDEX": str(index),
            "INTERFACE_NAME": environment.get(f"{prefix}NAME", ""),
            "INTERFACE_UUID": environment.get(f"{prefix}UUID", ""),
            "INSTANCE": environment.get("GANETI_INSTANCE_NAME", ""),
            "TAGS": environment.get("GANETI_INSTANCE_TAGS", ""),
        }
        if nic["MODE"] == "routed":
            found.append(nic)
    return found


def leave_behind(node, environment, taps, queue):
    """Return when a process waits for what a hook says is to come, if anything is."""
    nics = expected(environment)
    if nics:
        may_come = coming(queue, nics[0]["INSTANCE"])
        if _detached():
            follow(node, nics, taps, may_come)


def _detached():
    """Return whether this is the process that goes on, which nobody waits for."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return True


def follow(node, nics, taps, may_come):
    """
    Take NICs over as their guest arrives; return when all have been, or none will be.

    :param nics: As of ``expected``.
    :param taps: The directory in which Ganeti names an instance's taps.
    :param may_come: Says whether there may still be taps, as that of ``coming``.
    """
    begun, deadline = time.time(), time.monotonic() + _LONGEST_S
    waiting = list(nics)
    listening = {}
    while (waiting or listening) and time.monotonic() < deadline:
        last_look = not may_come()
        for nic in list(waiting):
            tap = _tap(taps, nic, begun)
            if tap and kernel.number_of(tap):
                waiting.remove(nic)
                prepared = node.prepare({**nic, "INTERFACE": tap})
                listening[_listen(tap)] = prepared
        if last_look:
            waiting.clear()
        _hear(node, listening)


def _hear(node, listening):
    """Listen for a while; guests that have arrived, or whose taps have gone, are done."""
    ready, _, _ = select.select(list(listening), [], [], _EVERY_S)
    for heard in ready:
        if _is_from(heard, listening[heard].mac):
            node.arrived(listening.pop(heard))
            heard.close()
    for heard, nic in list(listening.items()):
        if kernel.number_of(nic.tap) != nic.number:
            del listening[heard]
            heard.close()


def coming(queue, instance):
    """
    Return what says, as often as it is called, whether an instance may still come here.

    :param queue: The directory of Ganeti's jobs.

    The nodes that could become the master have a file of each job, which says whether it
    runs before its hooks are called (Ganeti 3.0, lib/jqueue/__init__.py: NotifyStart).
    """
    jobs = [path for path in Path(queue).glob("job-*") if _migrates(path, instance)]
    if jobs:
        return lambda: any(_migrates(path, instance) for path in jobs)
    end = time.monotonic() + _UNHEARD_S
    return lambda: time.monotonic() < end


def _migrates(path, instance):
    """Whether a job migrates an instance, or is to; one that is archived does not."""
    try:
        text = path.read_text("utf-8")
        if instance not in text:
            return False
        return any(
            (op["input"]["OP_ID"], op["input"].get("instance_name"))
            == (_MIGRATION, instance)
            and op["status"] not in _ENDED
            for op in json.loads(text)["ops"]
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _tap(taps, nic, begun):
    """Return the name of a NIC's tap; "" as long as it has none since some time."""
    path = Path(taps) / nic["INSTANCE"] / nic["INTERFACE_INDEX"]
    try:
        # What a crash has left names a tap that is another guest's by now.
        return path.read_text("ascii").strip() if path.stat().st_mtime >= begun else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _listen(tap):
    # Without a protocol it hears nothing of others before it is bound.
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    heard.bind((tap, _ALL))
    return heard


def _is_from(heard, mac):
    """Whether the next frame is one that the NIC of this MAC address has sent."""
    try:
        frame, (_, _, kind, _, _) = heard.recvfrom(64)
    except OSError:
        return False  # the tap has gone
    return kind != _OUTGOING and frame[6:12].hex(":") == mac
