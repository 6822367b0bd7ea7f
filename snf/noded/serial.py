"""The service ``serial``: guests' serial lines, their logs, and the API's way to both."""

from twisted.internet.threads import deferToThreadPool

from snf.noded.parts import Parts
from snf.serial.lines import Lines, Places
from snf.serial.web import Serial


def make(parts: Parts) -> Lines:
    """Return the lines of this node, offered to the API."""
    settings, reactor = parts.settings.serial, parts.reactor
    places = Places(
        sockets=settings.sockets,
        logs=settings.logs,
        log_bytes=settings.log_bytes,
        instances=settings.instances_file,
        prefix=settings.instance_prefix,
    )

    def in_thread(function, *given):  # type: ignore[no-untyped-def]
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *given)

    lines = Lines(reactor, places, in_thread)
    parts.door.offer("serial", Serial(lines, reactor))
    return lines
