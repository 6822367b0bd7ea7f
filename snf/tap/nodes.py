"""How ``twistd cyclades`` reaches the daemons of nodes."""

from typing import Any

from snf.config import Cyclades
from snf.core.node_keys import NodeKeys
from snf.logic.connections import Connections
from snf.nodes.serial import Daemons, SerialLines, connect
from snf.nodes.whereabouts import Whereabouts
from snf.storage.database import Database


def serial_lines(
    reactor: Any,
    settings: Cyclades,
    keys: NodeKeys | None,
    database: Database,
    connections: Connections,
) -> SerialLines | None:
    """Return what asks for servers' serial lines; None where that is not offered."""
    nodes = settings.nodes
    if keys is None or not nodes.daemon_port:
        return None
    whereabouts = Whereabouts(
        reactor, database, connections, settings.ganeti.instance_prefix
    )
    daemons = Daemons(port=nodes.daemon_port, ca_file=nodes.daemon_ca_file)
    return connect(reactor, whereabouts, keys.shared, daemons)
