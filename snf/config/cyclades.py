"""The settings of ``twistd cyclades`` and of its demo."""

from attrs import frozen

from snf.config.api import Api, Identity, Keystone, Quota, Stats
from snf.config.checks import at_least
from snf.config.console import Console
from snf.config.ganeti import Ganeti, Reconciler, Retention, Submitter
from snf.config.images import Images, Nodes
from snf.config.network import Network
from snf.config.services import Broker, Database, Services


@frozen
class Cyclades:
    """``cyclades.toml``, the file of ``twistd cyclades`` and ``snf-manage``."""

    database: Database
    broker: Broker
    services: Services = Services()
    api: Api = Api()
    identity: Identity = Identity()
    keystone: Keystone = Keystone()
    quota: Quota = Quota()
    network: Network = Network()
    images: Images = Images()
    stats: Stats = Stats()
    console: Console = Console()
    ganeti: Ganeti = Ganeti()
    nodes: Nodes = Nodes()
    submitter: Submitter = Submitter()
    reconciler: Reconciler = Reconciler()
    retention: Retention = Retention()


@frozen
class Simulation:
    """``[simulation]``: the Ganeti cluster that the demo plays.

    :ivar cluster: Its name; the user and the password are those that the cloud has
        for the cluster of that name.
    :ivar port: Where its remote API listens on 127.0.0.1; 0 is any that is free.
    :ivar nodes: How many nodes it has; servers are migrated where there are two.
    :ivar create_s: How long a job takes that makes an instance; and so on.
    """

    cluster: str = "ganeti.demo.test"
    port: int = 0
    nodes: int = 2
    create_s: float = 4.0
    start_s: float = 2.0
    stop_s: float = 2.0
    reboot_s: float = 3.0
    delete_s: float = 2.0

    def check(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port: must be from 0 to 65535")
        at_least("nodes", self.nodes, 1)
        for name in ("create_s", "start_s", "stop_s", "reboot_s", "delete_s"):
            at_least(name, getattr(self, name), 0)


@frozen
class Demo(Cyclades):
    """``cyclades.toml`` of ``twistd cyclades-demo``."""

    simulation: Simulation = Simulation()
