"""Clusters as clients know hosts: zones, services and hypervisors.

A cluster is one host with one ``nova-compute`` and one hypervisor, which is all that
Ganeti has to be asked of to put servers on it; which node a server is on is Ganeti's.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import msgspec
from attrs import frozen

from snf.api.audit import ACCEPTED, note
from snf.api.call import Call
from snf.api.compute import versions
from snf.api.compute.bodies import Name
from snf.api.json import Edge, new_app, route
from snf.core.catalog import Cluster
from snf.core.errors import BadRequest, NotFound, NotOffered
from snf.core.identity import Role
from snf.core.placement import Capacity
from snf.storage import clusters, hosts
from snf.storage.database import Transaction
from snf.storage.hosts import Host

_Json = dict[str, Any]

ZONE = "nova"
_BINARY = "nova-compute"

# Of ids that are not numbers any more.
_SERVICES = UUID("5f0c7b0e-8d0a-5d3c-9a43-0d6d3f3d6d01")
_HYPERVISORS = UUID("5f0c7b0e-8d0a-5d3c-9a43-0d6d3f3d6d02")

_NOTHING = Capacity(0, 0, 0, 0, 0, 0, 0)


class ServiceBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /os-services/{service}``: an id's, or that of a verb."""

    status: Literal["enabled", "disabled"] | None = None
    host: Annotated[str, msgspec.Meta(max_length=255)] = ""
    binary: str = _BINARY
    disabled_reason: Name | None = None


# What the verbs in place of an id do; the last one wants a reason.
_VERBS = {
    "enable": "enabled",
    "disable": "disabled",
    "disable-log-reason": "disabled",
}


@frozen
class Zones:
    """``/os-availability-zone``: there is one."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        return _zones(clusters.listing(txn), None)

    @route(app, "GET", "/detail", role=Role.ADMIN)
    def detail(self, txn: Transaction, call: Call) -> dict:
        """List them with their hosts, the clusters."""
        found = hosts.listing(txn)
        shown = {
            one.cluster.name: {
                _BINARY: {
                    "available": _up(one),
                    "active": _enabled(one),
                    "updated_at": None,
                }
            }
            for one in found
        }
        return _zones([one.cluster for one in found], shown)


def _zones(found: list[Cluster], shown: _Json | None) -> _Json:
    available = any(not one.drained and not one.offline for one in found)
    zone = {"zoneName": ZONE, "zoneState": {"available": available}, "hosts": shown}
    return {"availabilityZoneInfo": [zone]}


@frozen
class Services:
    """``/os-services``: each cluster has one."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them; host and binary narrow it."""
        host, binary = call.argument("host"), call.argument("binary")
        return {
            "services": [
                _service(call, one)
                for one in hosts.listing(txn)
                if host in (None, one.cluster.name) and binary in (None, _BINARY)
            ]
        }

    @route(app, "PUT", "/<service>", role=Role.ADMIN, body=ServiceBody)
    def update(self, txn: Transaction, call: Call, service: str) -> dict:
        """Have one take new servers or not; by id, or enable and disable by host."""
        body: ServiceBody = call.body
        verb = service in _VERBS
        for one in hosts.listing(txn):
            name = body.host if verb else service
            known = one.cluster.name if verb else str(_service_id(call, one))
            if name == known and body.binary == _BINARY:
                break
        else:
            raise NotFound(f"Could not find service {body.host or service}.")
        wanted = _VERBS.get(service, body.status)
        reason = body.disabled_reason
        if reason is not None and wanted != "disabled":
            raise BadRequest("disabled_reason: only where it is disabled")
        if wanted is not None:
            clusters.set_use(txn, one.cluster.id, wanted == "disabled", None)
            thing = uuid5(_SERVICES, one.cluster.name)
            note(txn, call, f"cluster {wanted}", thing, reason or ACCEPTED)
        [now] = [new for new in hosts.listing(txn) if new.cluster.id == one.cluster.id]
        return {"service": _service(call, now)}


def _service(call: Call, host: Host) -> _Json:
    since = host.cluster.unreachable_since
    return {
        "id": _service_id(call, host),
        "binary": _BINARY,
        "host": host.cluster.name,
        "zone": ZONE,
        "status": "enabled" if _enabled(host) else "disabled",
        "state": "up" if _up(host) else "down",
        "updated_at": None if since is None else since.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "disabled_reason": "offline" if host.cluster.offline else None,
        **({"forced_down": False} if call.since(versions.FORCED_DOWN) else {}),
    }


def _service_id(call: Call, host: Host) -> int | str:
    if call.since(versions.HOSTS_BY_UUID):
        return str(uuid5(_SERVICES, host.cluster.name))
    return host.cluster.id


@frozen
class Hypervisors:
    """``/os-hypervisors``: each cluster is one."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", role=Role.ADMIN)
    def brief(self, txn: Transaction, call: Call) -> dict:
        """List their names; hypervisor_hostname_pattern narrows it."""
        return _page(call, "os-hypervisors", _matching(txn, call), _brief)

    @route(app, "GET", "/detail", role=Role.ADMIN)
    def detail(self, txn: Transaction, call: Call) -> dict:
        """List them with what they have; hypervisor_hostname_pattern narrows it."""
        return _page(call, "os-hypervisors/detail", _matching(txn, call), _hypervisor)

    @route(app, "GET", "/statistics", role=Role.ADMIN)
    def statistics(self, txn: Transaction, call: Call) -> dict:
        """Sum up what they have."""
        if call.since(versions.HYPERVISORS_WITHOUT_SIZES):
            raise NotFound("The resource could not be found.")
        enabled = [one for one in hosts.listing(txn) if _enabled(one)]
        totals = {
            key: sum(sizes[key] for sizes in map(_sizes, enabled)) for key in _SIZES
        }
        return {"hypervisor_statistics": {"count": len(enabled), **totals}}

    @route(app, "GET", "/<hypervisor>", role=Role.ADMIN)
    def show(self, txn: Transaction, call: Call, hypervisor: str) -> dict:
        """Show one."""
        for one in hosts.listing(txn):
            if str(_hypervisor_id(call, one)) == hypervisor:
                return {"hypervisor": _hypervisor(call, one)}
        raise NotFound(f"Hypervisor with ID '{hypervisor}' could not be found.")

    @route(app, "GET", "/<hypervisor>/uptime", role=Role.ADMIN)
    def uptime(self, txn: Transaction, call: Call, hypervisor: str) -> dict:
        """Refuse: Ganeti does not tell it; openstack goes on without after a 501."""
        if call.since(versions.HYPERVISORS_WITHOUT_SIZES):
            raise NotFound("The resource could not be found.")
        self.show(txn, call, hypervisor)
        raise NotOffered("Virt driver does not implement uptime function.")


def _matching(txn: Transaction, call: Call) -> list[Host]:
    pattern = call.argument("hypervisor_hostname_pattern") or ""
    found = [one for one in hosts.listing(txn) if pattern in one.cluster.name]
    if pattern and not found:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return found


def _page(
    call: Call, path: str, found: list[Host], show: Callable[[Call, Host], _Json]
) -> _Json:
    """
    Return those that the caller wants at once, after the marker.

    :raises BadRequest: There is no such marker.
    """
    if not call.since(versions.HYPERVISOR_PAGES):
        return {"hypervisors": [show(call, one) for one in found]}
    marker = call.argument("marker")
    if marker is not None:
        ids = [str(_hypervisor_id(call, one)) for one in found]
        if marker not in ids:
            raise BadRequest(f"marker: Marker [{marker}] not found")
        found = found[ids.index(marker) + 1 :]
    chosen = found[: call.limit(max(len(found), 1))]
    page: _Json = {"hypervisors": [show(call, one) for one in chosen]}
    if len(chosen) < len(found):
        after = call.page_after(_hypervisor_id(call, chosen[-1]))
        href = f"{call.base}/{path}?{after}"
        page["hypervisors_links"] = [{"rel": "next", "href": href}]
    return page


def _brief(call: Call, host: Host) -> _Json:
    return {
        "id": _hypervisor_id(call, host),
        "hypervisor_hostname": host.cluster.name,
        "state": "up" if _up(host) else "down",
        "status": "enabled" if _enabled(host) else "disabled",
    }


def _hypervisor(call: Call, host: Host) -> _Json:
    shown = {
        **_brief(call, host),
        "host_ip": None,
        "hypervisor_type": "ganeti",
        "hypervisor_version": 0,
        "service": {
            "id": _service_id(call, host),
            "host": host.cluster.name,
            "disabled_reason": None,
        },
    }
    if call.since(versions.HYPERVISORS_WITHOUT_SIZES):
        return {**shown, "uptime": None}
    cpu_info: _Json | str = {} if call.since(versions.CPU_INFO) else ""
    return {**shown, "cpu_info": cpu_info, **_sizes(host)}


def _sizes(host: Host) -> dict[str, int]:
    has = host.capacity or _NOTHING
    return {
        "vcpus": has.cpus,
        "vcpus_used": host.vcpus,
        "memory_mb": has.ram_total_mib,
        "memory_mb_used": has.ram_total_mib - has.ram_free_mib,
        "free_ram_mb": has.ram_free_mib,
        "local_gb": has.disk_total_mib // 1024,
        "local_gb_used": (has.disk_total_mib - has.disk_free_mib) // 1024,
        "free_disk_gb": has.disk_free_mib // 1024,
        "disk_available_least": has.disk_free_mib // 1024,
        "current_workload": host.building,
        "running_vms": host.servers,
    }


_SIZES = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb"),
    *("local_gb", "local_gb_used", "free_disk_gb", "disk_available_least"),
    *("current_workload", "running_vms"),
)


def _hypervisor_id(call: Call, host: Host) -> int | str:
    if call.since(versions.HOSTS_BY_UUID):
        return str(uuid5(_HYPERVISORS, host.cluster.name))
    return host.cluster.id


def _enabled(host: Host) -> bool:
    return not host.cluster.drained and not host.cluster.offline


def _up(host: Host) -> bool:
    return not host.cluster.offline and host.cluster.unreachable_since is None
