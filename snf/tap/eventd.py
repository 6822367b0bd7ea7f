"""``twistd snf-eventd``: tells the cloud what happens on a Ganeti cluster."""

from pathlib import Path
from socket import getfqdn

from twisted.application.service import IService
from twisted.python import usage

from snf.bus.connect import open_bus
from snf.config import ConfigError, Eventd, load
from snf.eventd.service import eventd
from snf.tap.garbage import Frozen


class Options(usage.Options):
    """The command line."""

    optParameters = [
        ["config", "c", "/etc/cyclades/eventd.toml", "The configuration file."],
    ]

    def postOptions(self) -> None:
        """
        Read what the command line names.

        :raises UsageError: The configuration cannot be used; the text says why.
        """
        from twisted.internet import reactor

        try:
            self.settings = load(Path(self["config"]), Eventd)
            prefix = self.settings.ganeti.instance_prefix
            self.bus = open_bus(self.settings.broker, reactor, prefix)
        except ConfigError as problem:
            raise usage.UsageError(str(problem)) from None


def makeService(options: Options) -> IService:
    """Return the service that the options describe."""
    from twisted.internet import reactor

    settings = options.settings
    whole = eventd(
        reactor, settings, options.bus, settings.master.node_name or getfqdn()
    )
    Frozen().setServiceParent(whole)
    return whole
