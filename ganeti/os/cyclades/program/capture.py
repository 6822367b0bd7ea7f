"""Making images of instances' disks: what Ganeti's hook begins, and what goes on then.

The instance's tags say for which order, and where the cloud is.  The hook waits only
until it is sure of which moment the image will be; the rest is done by a process of its
own, which the cloud hears from every few seconds.
"""

import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

import cloud
import copying
from failure import Failed

_ORDER = re.compile(
    r"cyclades:image:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r":([0-9]{1,12}):([0-9a-f]{64})"
)
_CLOUD = re.compile(r"cyclades:image-at:(https?://[!-~]+)")
_BEGINS_IN_S = 300.0
_EVERY_S = 4.0
_COPIED = 50
_LONGEST = 1000
_BEGUN = b"begun\n"
_NOTHING = b"nothing\n"


def begin(environment, program):
    """
    Have an image begun if the instance's tags say so, and this is its node.

    :param program: Where this program is.
    :raises Failed: It cannot be begun.
    """
    if _wanted(environment) is None or not _here(environment):
        return
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", program, "capturing"],
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process.stdout:
        said = _line(process.stdout)
    if said not in (_BEGUN, _NOTHING):
        why = said.decode("utf-8", "replace").strip()
        raise Failed(why or "the image could not be begun")


def work(environment, found):
    """Make the image, and bring it to the cloud; says on standard output how it begins."""
    told = _Told()
    try:
        _make(environment, found, told)
    except cloud.Ended:
        told.say(_NOTHING)
    except (Failed, OSError) as problem:
        told.say(f"{problem}\n".encode()[:_LONGEST])
        raise


def _make(environment, found, told):
    url = _wanted(environment)
    if url is None:
        told.say(_NOTHING)
        return
    alone = _alone(url)
    if alone is None:  # another change has had the hook look while it is being made
        told.say(_NOTHING)
        return
    with alone:
        _bring(environment, found, told, cloud.Cloud(url, found.fetch))


def _alone(url):
    """Return what shows that the image is being made; None if it is already."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Without a file: it goes with the process.
        mark.bind(f"\0snf-os {urlsplit(url).path}")
    except OSError:
        mark.close()
        return None
    return mark


def _bring(environment, found, told, there):
    there.ask()  # or somebody has forgotten to remove the tag
    reporter = _Reporter(there)
    try:
        name = environment["GANETI_INSTANCE_NAME"]
        os.makedirs(found.capture.directory, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=found.capture.directory) as file:
            work = copying.Copying(name, environment, found, file)
            work.run(lambda: told.say(_BEGUN), reporter.copied)
            there.bring(file, reporter.sent)
    except (Failed, OSError, KeyError) as problem:
        there.fail(_words(problem))
        raise


class _Told:
    """Whoever waits for the first word, and for no other."""

    def __init__(self):
        self._waits = True

    def say(self, line):
        """Say it, and be of the background from then on."""
        if self._waits:
            self._waits = False
            os.write(1, line)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 1)


class _Reporter:
    """Tells the cloud how far it is, now and then."""

    def __init__(self, there):
        self._there = there
        self._told = time.monotonic()

    def copied(self, percent):
        """Tell how much has been copied, in percent."""
        self._tell(percent * _COPIED / 100)

    def sent(self, percent):
        """Tell how much has been sent, in percent."""
        self._tell(_COPIED + percent * (100 - _COPIED) / 100)

    def _tell(self, percent):
        now = time.monotonic()
        if now - self._told >= _EVERY_S:
            self._told = now
            try:
                self._there.report(min(99, int(percent)))
            except Failed:
                return  # the next one may get through


def _wanted(environment):
    """Return the signed URL that the instance's tags make; None if they make none."""
    tags = environment.get("GANETI_INSTANCE_TAGS", "").split()
    orders = [found for tag in tags if (found := _ORDER.fullmatch(tag))]
    clouds = [found[1] for tag in tags if (found := _CLOUD.fullmatch(tag))]
    if not orders or not clouds:
        return None
    # The newest, if an older one was left behind.
    order, expires, signature = max(orders, key=lambda found: int(found[2])).groups()
    query = f"expires={expires}&signature={signature}"
    return f"{clouds[0].rstrip('/')}/node/v1/snapshots/{order}?{query}"


def _here(environment):
    """Return whether the instance is on this node; hooks run on the master as well."""
    primary = environment.get("GANETI_INSTANCE_PRIMARY", "")
    host = socket.gethostname()
    return bool(primary) and (host == primary or socket.getfqdn() == primary)


def _line(pipe):
    """Return what comes until the end of a line; b"" if none does in time."""
    deadline = time.monotonic() + _BEGINS_IN_S
    said = b""
    while not said.endswith(b"\n") and len(said) < _LONGEST:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            break
        piece = os.read(pipe.fileno(), _LONGEST)
        if not piece:
            break
        said += piece
    return said


def _words(problem):
    if isinstance(problem, KeyError):
        return f"Ganeti does not say {problem}"
    if isinstance(problem, OSError):
        return f"{problem.filename or 'a file'}: {problem.strerror}"
    return str(problem)
