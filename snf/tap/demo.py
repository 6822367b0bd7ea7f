"""``twistd cyclades-demo``: all of Cyclades over a simulated Ganeti, in one process."""

from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from snf.bus.memory import MemoryBus
from snf.config import ConfigError, Demo, load
from snf.storage.database import Database
from snf.tap.cyclades import assemble
from snf.tap.layers import Layers
from snf.tap.secrets import Secrets, read_secrets
from snf.testing.simulation import NodeDaemon, Simulation


class Options(UsageOptions):
    """The one option: where the configuration is."""

    optParameters = [
        ["config", "c", "/etc/cyclades/cyclades.toml", "The configuration file."]
    ]
    settings: Demo
    secrets: Secrets

    def postOptions(self) -> None:
        """Read the configuration, so that a mistake in it is one line."""
        try:
            self.settings = load(Path(self["config"]), Demo)
            self.secrets = read_secrets(self.settings)
        except ConfigError as failure:
            raise UsageError(str(failure)) from None


def makeService(options: Options) -> IService:
    """Return the service that does what the configuration says."""
    from twisted.internet import reactor

    return assemble_demo(reactor, options.settings, options.secrets)


def assemble_demo(reactor: Any, settings: Demo, secrets: Secrets) -> Layers:
    """
    Return the services of a cloud and of the cluster under it.

    Whatever broker the settings name, the bus is inside this process: it would
    otherwise tell another cloud of what is not there.
    """
    prefix = settings.ganeti.instance_prefix
    bus = MemoryBus(reactor, prefix, settings.broker.prefetch)
    layers = Layers()
    database = Database(reactor, settings.database.dsn, secrets.database, threads=1)
    database.setServiceParent(layers)
    port, keys = settings.nodes.daemon_port, secrets.nodes
    Simulation(
        reactor,
        database,
        bus,
        settings.simulation,
        prefix,
        assemble(reactor, settings, secrets, bus),
        NodeDaemon(port, keys.shared) if keys is not None and port else None,
    ).setServiceParent(layers)
    return layers
