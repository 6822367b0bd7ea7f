"""The settings: every table of a file is one class, whose defaults are the defaults.

Secrets are never written in these files: a key that ends in ``_file`` names the file
that holds one.
"""

from snf.config.api import Api as Api
from snf.config.api import Identity as Identity
from snf.config.api import Keystone as Keystone
from snf.config.api import Quota as Quota
from snf.config.api import Stats as Stats
from snf.config.console import Console as Console
from snf.config.cyclades import Cyclades as Cyclades
from snf.config.cyclades import Demo as Demo
from snf.config.cyclades import Simulation as Simulation
from snf.config.eventd import Eventd as Eventd
from snf.config.eventd import Master as Master
from snf.config.eventd import Queue as Queue
from snf.config.eventd import Spool as Spool
from snf.config.ganeti import Ganeti as Ganeti
from snf.config.ganeti import Reconciler as Reconciler
from snf.config.ganeti import Retention as Retention
from snf.config.ganeti import Submitter as Submitter
from snf.config.images import Images as Images
from snf.config.images import Nodes as Nodes
from snf.config.network import Network as Network
from snf.config.services import Broker as Broker
from snf.config.services import Database as Database
from snf.config.services import Services as Services
from snf.toml import ConfigError as ConfigError
from snf.toml import load as load
from snf.toml import secret as secret
