"""Copying an instance's first disk as it is at one moment, into a file without a name.

A guest that runs goes on: QEMU copies what is about to be overwritten first
(``drive-backup``, docs/interop/live-block-operations.rst), so the copy is what the disk
held when it began, as after a loss of power.  One that does not run is read by
``qemu-img``, whose lock keeps it from being started meanwhile.
"""

import contextlib
import os
import time

import tool
from failure import Failed
from qmp import Monitor, NotRunning

_PREFIX = "snf-image-"
_POLL_S = 1.0
_TRIES = 10
_RUNS_BY = ("kvm",)


class Copying:
    """
    The copying of one disk.

    :param name: The instance's.
    :param environment: Of Ganeti's hook.
    :param found: The ``Settings``.
    :param file: What to write to; it has no name, so that nothing of it stays when
        everybody who has it is gone.
    """

    def __init__(self, name, environment, found, file):
        self._name = name
        self._environment = environment
        self._found = found
        self._file = file
        monitors = found.capture.monitors
        self._monitor = os.path.join(monitors, f"{name}.qmp")
        # Through the process that has it: it has no other name.
        self._path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        self._deadline = time.monotonic() + found.capture.timeout_s

    def run(self, begun, progress):
        """
        Copy it; return whether its guest ran.

        :param begun: Called when the moment is fixed of which the copy will be.
        :param progress: Called with percent, now and then; what it raises ends it.
        :raises Failed: It cannot be copied.
        """
        try:
            self._of_running(begun, progress)
        except NotRunning:
            self._of_stopped(begun, progress)

    def _of_stopped(self, begun, progress):
        kind = self._environment.get("GANETI_INSTANCE_HYPERVISOR", "")
        up = self._environment.get("GANETI_INSTANCE_STATUS") == "up"
        if up and kind not in _RUNS_BY:
            raise Failed(f"images are not made of running guests of {kind}")
        arguments = ["convert", "-p", "-c", "-f", "raw", "-O", "qcow2"]
        waiting = [begun]

        def further(percent):
            # What is written to is made after the disk has been opened, and locked.
            while waiting and os.fstat(self._file.fileno()).st_size:
                waiting.pop()()
            self._check_room()
            progress(percent)

        what = "the disk cannot be copied"
        path = self._disk()
        tool.run(what, [*arguments, path, self._path], self._found.convert, further)
        while waiting:
            waiting.pop()()

    def _disk(self):
        """
        Return where the disk is of an instance that does not run.

        :raises Failed: Nobody can tell.
        """
        said = {
            name: self._environment.get(f"GANETI_INSTANCE_DISK0_{name}", "")
            for name in ("ID", "VG")
        }
        path = f"/dev/{said['VG']}/{said['ID']}" if said["VG"] else said["ID"]
        if not path.startswith("/"):
            template = self._environment.get("GANETI_INSTANCE_DISK_TEMPLATE")
            raise Failed(
                f"a disk of the template {template} is not there while its server is"
                " stopped: start it first"
            )
        return path

    def _of_running(self, begun, progress):
        with Monitor(self._monitor) as monitor:
            device, size = self._device(monitor)
            self._clear(monitor)
            what = "the disk cannot be copied"
            create = ["create", "-q", "-f", "qcow2", self._path, str(size)]
            tool.run(what, create, self._found.convert)
            target = self._hand_over(monitor)
            job = f"{_PREFIX}{os.getpid()}"
            monitor.execute(
                "drive-backup",
                **{
                    "job-id": job,
                    "device": device,
                    "target": target,
                    "format": "qcow2",
                    "mode": "existing",
                    "sync": "full",
                    "compress": True,
                    "auto-dismiss": False,
                },
            )
        begun()
        try:
            self._follow(job, progress)
        except BaseException:
            with contextlib.suppress(Failed, NotRunning), self._asked() as monitor:
                monitor.execute("job-cancel", id=job)
            raise
        finally:
            self._dismiss(job)

    def _hand_over(self, monitor):
        """Return how QEMU calls the file, which it may open read-only first."""
        handed = monitor.execute("add-fd", self._file.fileno())["fdset-id"]
        read_only = os.open(self._path, os.O_RDONLY)
        try:
            monitor.execute("add-fd", read_only, **{"fdset-id": handed})
        finally:
            os.close(read_only)
        return f"/dev/fdset/{handed}"

    def _device(self, monitor):
        """Return what QEMU calls the disk, and its size in bytes."""
        mine = f"{self._name}:0"  # Ganeti's link to an instance's first disk
        known = self._environment.get("GANETI_INSTANCE_DISK0_ID", "")
        for one in monitor.execute("query-block"):
            inserted = one.get("inserted") or {}
            path = inserted.get("file", "")
            if os.path.basename(path) == mine or (known and path == known):
                device = one.get("device") or inserted.get("node-name")
                return device, inserted["image"]["virtual-size"]
        raise Failed("QEMU has no disk that is the instance's first one")

    def _clear(self, monitor):
        """Remove what is left of those that ended before they could do so."""
        for job in monitor.execute("query-jobs"):
            if job["id"].startswith(_PREFIX):
                if job["status"] != "concluded":
                    raise Failed("another image is being made of this server")
                monitor.execute("job-dismiss", id=job["id"])

    def _follow(self, job, progress):
        while True:
            time.sleep(_POLL_S)
            try:
                with self._asked() as monitor:
                    jobs = monitor.execute("query-jobs")
            except NotRunning:
                raise Failed(
                    "the server was stopped while its disk was copied"
                ) from None
            state = next((one for one in jobs if one["id"] == job), None)
            if state is None:
                raise Failed("somebody else has ended the copying of the disk")
            if state["status"] == "concluded":
                if state.get("error"):
                    raise Failed(f"the disk cannot be copied: {state['error']}")
                return
            if time.monotonic() > self._deadline:
                raise Failed("the disk cannot be copied: it takes too long")
            self._check_room()
            progress(100 * state["current-progress"] / max(1, state["total-progress"]))

    def _asked(self):
        """Return a connection; Ganeti may have the monitor for a while."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(Failed):
                return Monitor(self._monitor)
            time.sleep(_POLL_S)
        return Monitor(self._monitor)

    def _dismiss(self, job):
        # One that was canceled takes a moment.
        for _ in range(_TRIES):
            try:
                with self._asked() as monitor:
                    monitor.execute("job-dismiss", id=job)
                return
            except NotRunning:
                return
            except Failed:
                time.sleep(_POLL_S)

    def _check_room(self):
        room = os.fstatvfs(self._file.fileno())
        if room.f_bavail * room.f_frsize < self._found.capture.spare_bytes:
            raise Failed("there is no room on the node for the copy of the disk")
