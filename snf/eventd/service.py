"""The parts of eventd, put together."""

from typing import Any

from twisted.application.service import MultiService

from snf.bus.interface import Bus
from snf.config import Eventd
from snf.eventd.mark import MarkFile
from snf.eventd.master import Master
from snf.eventd.queue import JobQueue, Source
from snf.eventd.spool import Spool


def eventd(reactor: Any, settings: Eventd, bus: Bus, node_name: str) -> MultiService:
    """
    Return the service that tells the cloud what happens on this cluster.

    :param node_name: This node as Ganeti names it.
    """
    service = MultiService()
    publisher = bus.publisher()
    publisher.setServiceParent(service)
    prefix = settings.ganeti.instance_prefix
    source = Source(
        settings.queue.directory,
        MarkFile(settings.queue.mark_file),
        Master(settings.master.ssconf_directory, node_name),
        prefix,
    )
    queue = JobQueue(reactor, source, publisher.publish)
    queue.setServiceParent(service)
    spool = Spool(reactor, settings.spool.directory, prefix, publisher.publish)
    spool.setServiceParent(service)
    return service
