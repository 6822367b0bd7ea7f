"""``/servers/{id}/diagnostics`` and ``/topology``: what is known of a server's inside.

The versions ``v1.1`` and ``v2`` speak as Synnefo does: there, diagnostics are what the
making of the server's disk has told.
"""

from typing import Any

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import versions
from snf.api.compute.owned import MISSING, locate, owner
from snf.api.compute.view import precise
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import Conflict
from snf.core.identity import Role
from snf.core.port import Port
from snf.core.server import Observed
from snf.storage import diagnostics, lists, ports, servers
from snf.storage.database import Transaction
from snf.storage.diagnostics import Diagnostic
from snf.storage.servers import Server

Json = dict[str, Any]


@frozen
class Diagnostics:
    """``/servers/{id}/diagnostics`` as Nova has it."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/<server>/diagnostics", role=Role.ADMIN)
    def show(self, txn: Transaction, call: Call, server: str) -> Json:
        """Show what is known of a server that runs."""
        found = servers.get(txn, owner(call), identifier(server, MISSING))
        if found.observed is not Observed.UP:
            raise Conflict(
                f"Instance {found.uuid} in power state {found.observed.value}. Cannot "
                "get_diagnostics while the instance is in this state."
            )
        wanted = lists.Wanted(only={"device_id:server": [found.uuid]})
        nics = lists.listing(txn, ports.PORTS, wanted, _NICS_AT_MOST)
        if call.since(versions.DIAGNOSTICS):
            return _standard(found, nics)
        return _free(found, nics)


@frozen
class Messages:
    """``/servers/{id}/diagnostics`` as Synnefo has it."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/diagnostics")
    def list(self, txn: Transaction, call: Call, server: str) -> Any:
        """List what the making of a server's disk has told, the newest first."""
        number, _ = locate(txn, call, server, deleted=True)
        return [_message(one) for one in diagnostics.listing(txn, number)]


@frozen
class Topology:
    """``/servers/{id}/topology``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/topology", since=versions.TOPOLOGY)
    def show(self, txn: Transaction, call: Call, server: str) -> Json:
        """Show how a server's processors and memory are laid out: not in any way."""
        locate(txn, call, server)
        return {"nodes": [], "pagesize_kb": None}


_NICS_AT_MOST = 100

# What Ganeti does not count is null, as in Nova with a driver that cannot tell.
_DISK = ("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count")
_NIC = (
    *("rx_octets", "rx_errors", "rx_drop", "rx_packets", "rx_rate"),
    *("tx_octets", "tx_errors", "tx_drop", "tx_packets", "tx_rate"),
)


def _standard(server: Server, nics: list[Port]) -> Json:
    flavor = server.flavor
    disks = (1 if flavor.disk_gib else 0) + server.config_drive
    return {
        "state": "running",
        "driver": "ganeti",
        "hypervisor": None,
        "hypervisor_os": None,
        "uptime": None,
        "config_drive": server.config_drive,
        "num_cpus": flavor.vcpus,
        "num_nics": len(nics),
        "num_disks": disks,
        "cpu_details": [
            {"id": number, "time": None, "utilisation": None}
            for number in range(flavor.vcpus)
        ],
        "disk_details": [dict.fromkeys(_DISK) for _ in range(disks)],
        "nic_details": [
            {"mac_address": str(nic.mac), **dict.fromkeys(_NIC)} for nic in nics
        ],
        "memory_details": {"maximum": flavor.ram_mib, "used": None},
    }


def _free(server: Server, nics: list[Port]) -> Json:
    """Return it in the form before there was a standard; memory in KiB, as libvirt's."""
    return {
        "state": "running",
        "vcpus": server.flavor.vcpus,
        "memory": server.flavor.ram_mib * 1024,
        "disk_gb": server.flavor.disk_gib,
        "nics": [str(nic.mac) for nic in nics],
    }


def _message(one: Diagnostic) -> Json:
    return {
        "level": one.level,
        "source": one.source,
        "source_date": precise(one.dated),
        "created": precise(one.created),
        "message": one.message,
        "details": one.details,
    }
