"""``qemu-img``, under limits: what it reads was written by whoever uploaded an image."""

import os
import re
import selectors
import subprocess
import tempfile
import time

from failure import Failed

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_PERCENT = re.compile(rb"\(([0-9.]+)/100%\)")
_LONGEST = 200
_MOST_OUTPUT = 1024 * 1024


def run(what, arguments, limits, progress=None, good=(0,)):
    """
    Return what ``qemu-img`` prints.

    It dies with this process, so that nothing goes on writing after it.

    :param what: What it is to do, for the message of a failure.
    :param limits: The settings ``[convert]``.
    :param progress: Called with percent as it goes on, if it tells, and each second.
    :param good: The exit codes of success.
    :raises Failed: It does not succeed, or takes too long.
    """
    argv = ["setpriv", "--pdeathsig", "KILL", "prlimit", "--core=0"]
    argv += [f"--as={limits.memory_bytes}", f"--cpu={limits.cpu_s}", "qemu-img"]
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [*argv, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_ENVIRONMENT,
            )
        except OSError as problem:
            raise Failed(f"{what}: {problem.strerror}: {problem.filename}") from None
        with process:
            output = _follow(what, process, limits.timeout_s, progress)
        if process.returncode not in good:
            errors.seek(0)
            said = errors.read(_MOST_OUTPUT)
            raise Failed(f"{what}: {_why(process.returncode, said, arguments)}")
    return output


def _follow(what, process, timeout_s, progress):
    """Return all that a process prints until its end."""
    deadline = time.monotonic() + timeout_s
    output, percent = b"", 0.0
    tell = progress or (lambda _percent: None)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or len(output) > _MOST_OUTPUT:
                process.kill()
                raise Failed(f"{what}: qemu-img does not come to an end")
            if not selector.select(min(left, 1.0)):
                tell(percent)
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            if progress is None:
                output += chunk
            elif found := _PERCENT.findall(chunk):
                percent = float(found[-1])
                tell(percent)
    try:
        process.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failed(f"{what}: qemu-img does not come to an end") from None
    return output


def _why(code, said, arguments):
    """Return the last line of what it said, without the node's paths."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    if lines:
        line = lines[-1].removeprefix("qemu-img: ")
        for argument in arguments:
            if argument.startswith("/"):
                line = line.replace(f"'{argument}'", "it").replace(argument, "it")
        return "".join(c if c.isprintable() else "?" for c in line)[:_LONGEST]
    if code < 0 or code > 128:
        return "qemu-img used up what it may (memory or processor time)"
    return f"qemu-img ended with {code}"
