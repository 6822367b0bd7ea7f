"""What to ask of Ganeti for each kind of order.

Every request carries the order's id as the reason: Ganeti keeps that with the job from
the moment it accepts it, also when the job fails and when it is archived.
"""

from collections.abc import Mapping

from attrs import field, frozen

from snf.core.naming import order_reason
from snf.core.order import Build, Kind, NicRequest, Order


@frozen
class Request:
    """One call of the remote API; ``body`` becomes JSON and may hold secrets."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, object] | None = field(default=None, repr=False)


def request(
    order: Order, name: str, shutdown_timeout_s: int, after_job: int | None = None
) -> Request:
    """
    Return the request that carries out an order on the instance of a given name.

    :param shutdown_timeout_s: How long a guest may take to power off when it is asked
        to; then it is cut off.
    :param after_job: A job that has to end before, well or badly.  It has to be one
        that Ganeti knows: otherwise the new job fails at once.
    :raises ValueError: The order is a CREATE that does not say what to build.
    """
    method, path, query, body = _call(order, name, shutdown_timeout_s)
    if after_job is not None:
        # No status named: any final one will do (Ganeti doc/design-chained-jobs.rst).
        body["depends"] = [[after_job, []]]
    return Request(
        method=method,
        path=path,
        query=(*query, ("reason", order_reason(order.id))),
        body=body,
    )


_Call = tuple[str, str, tuple[tuple[str, str], ...], dict[str, object]]


def _call(order: Order, name: str, shutdown_timeout_s: int) -> _Call:
    path = f"/2/instances/{name}"
    match order.kind:
        case Kind.CREATE:
            if order.build is None:
                raise ValueError(f"order {order.id} does not say what to build")
            return "POST", "/2/instances", (), _create(order.build, name)
        case Kind.START:
            return "PUT", f"{path}/startup", (), {}
        case Kind.STOP:
            return "PUT", f"{path}/shutdown", (), {"timeout": shutdown_timeout_s}
        case Kind.REBOOT:
            # Ganeti's own "soft" resets the machine without asking the guest; "hard"
            # stops and starts it, and asks the guest first unless that may take 0 s.
            timeout = 0 if order.hard else shutdown_timeout_s
            return (
                "POST",
                f"{path}/reboot",
                (("type", "hard"),),
                {"shutdown_timeout": timeout},
            )
        case Kind.DELETE:
            # Nothing on its disks will be needed again.
            return "DELETE", path, (), {"shutdown_timeout": 0}
        case Kind.MIGRATE | Kind.MIGRATE_LIVE | Kind.EVACUATE:
            return _move(order, path, shutdown_timeout_s)


def _move(order: Order, path: str, shutdown_timeout_s: int) -> _Call:
    if order.kind is Kind.MIGRATE_LIVE:
        return "PUT", f"{path}/migrate", (), {"mode": "live"} | _where(order)
    # Ganeti's "non-live" migration leaves the guest paused: a failover stops it, and
    # starts it there if it ran.
    body: dict[str, object] = {"shutdown_timeout": shutdown_timeout_s}
    if order.kind is Kind.EVACUATE:
        # Whether or not its node can still be told to stop it.
        body["ignore_consistency"] = True
    return "PUT", f"{path}/failover", (), body | _where(order)


def _where(order: Order) -> dict[str, object]:
    """Return where a server is to be taken; nothing leaves it to Ganeti."""
    where: dict[str, object] = {}
    if order.node is not None:
        where["target_node"] = order.node
    if order.force:
        where["ignore_ipolicy"] = True
    return where


def _create(build: Build, name: str) -> dict[str, object]:
    # No node: the cluster's default iallocator chooses it.  A machine without disks
    # must not say no_install either: Ganeti would then not start it
    # (Ganeti lib/cmdlib/instance_create.py, CheckArguments).
    body: dict[str, object] = {
        "__version__": 1,
        "mode": "create",
        "instance_name": name,
        "os_type": build.os,
        "osparams": dict(build.os_parameters),
        "disk_template": build.disk_template if build.disk_gib else "diskless",
        "disks": [{"size": build.disk_gib * 1024}] if build.disk_gib else [],
        "nics": [_nic(nic) for nic in build.nics],
        "beparams": {
            "vcpus": build.vcpus,
            "minmem": build.ram_mib,
            "maxmem": build.ram_mib,
        },
        "start": True,
        "name_check": False,
        "ip_check": False,
        "wait_for_sync": False,
    }
    if build.hypervisor is not None:
        body["hypervisor"] = build.hypervisor
    if build.hypervisor_parameters:
        body["hvparams"] = dict(build.hypervisor_parameters)
    return body


def _nic(nic: NicRequest) -> dict[str, str]:
    parameters = {
        "name": nic.name,
        "mac": nic.mac,
        "mode": nic.mode,
        "link": nic.link,
    }
    if nic.ip is not None:
        parameters["ip"] = nic.ip
    return parameters
