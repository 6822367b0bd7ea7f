"""What to ask of Ganeti for each kind of order.

Every request carries the order's id as the reason: Ganeti keeps that with the job from
the moment it accepts it, also when the job fails and when it is archived.
"""

from collections.abc import Mapping

from attrs import field, frozen

from snf.core.naming import EXCLUSION, network_name, order_reason
from snf.core.order import Build, Kind, NicRequest, Order


@frozen
class Request:
    """One call of the remote API; ``body`` becomes JSON and may hold secrets."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, object] | None = field(default=None, repr=False)


def request(
    order: Order,
    name: str,
    shutdown_timeout_s: int,
    after_job: int | None = None,
    needs_success: bool = False,
    hotplug: str = "hotplug_if_possible",
) -> Request:
    """
    Return the request that carries out an order on the instance of a given name.

    :param shutdown_timeout_s: How long a guest may take to power off when it is asked
        to; then it is cut off.
    :param after_job: A job that has to end before, well or badly.  It has to be one
        that Ganeti knows: otherwise the new job fails at once.
    :param needs_success: Whether it has to end well.
    :param hotplug: What the cluster calls a change of a NIC that reaches a running
        guest where this is possible: see :func:`hotplug_word`.
    :raises ValueError: The order does not say what to build or to change.
    """
    method, path, query, body = _call(order, name, shutdown_timeout_s)
    if order.kind in (Kind.ATTACH, Kind.DETACH):
        body[hotplug] = True
    if after_job is not None:
        # No status named: any final one will do (Ganeti doc/design-chained-jobs.rst).
        body["depends"] = [[after_job, ["success"] if needs_success else []]]
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
        case Kind.GROW | Kind.MODIFY | Kind.ATTACH | Kind.DETACH:
            return _change(order, path)


def hotplug_word(version: str) -> str:
    """
    Return the parameter that has a change reach a running guest where it can.

    From Ganeti 3.1 on ``hotplug`` does not insist (lib/cmdlib/instance_set_params.py,
    _CheckHotplug), and there is no other.

    :param version: Of Ganeti, like ``3.0.2``.
    """
    numbers = version.split(".")[:2]
    if all(number.isdigit() for number in numbers):
        parts = tuple(map(int, numbers))
        return "hotplug" if parts >= (3, 1) else "hotplug_if_possible"
    return "hotplug"


def _nic_change(order: Order) -> list[object]:
    if order.nic is None:
        raise ValueError(f"order {order.id} does not say which NIC")
    if order.kind is Kind.ATTACH:
        return ["add", -1, _nic(order.nic)]
    return ["remove", order.nic.name, {}]


def _change(order: Order, path: str) -> _Call:
    if order.kind in (Kind.ATTACH, Kind.DETACH):
        return "PUT", f"{path}/modify", (), {"nics": [_nic_change(order)]}
    if order.sizes is None:
        raise ValueError(f"order {order.id} does not say how large")
    sizes = order.sizes
    if order.kind is Kind.GROW:
        # To so much, not by so much: asked for twice it is done once.
        size = {"amount": sizes.disk_gib * 1024, "absolute": True}
        return "POST", f"{path}/disk/0/grow", (), {**size, "wait_for_sync": False}
    body = {"beparams": _beparams(sizes.vcpus, sizes.ram_mib), "force": order.force}
    return "PUT", f"{path}/modify", (), body


def _beparams(vcpus: int, ram_mib: int) -> dict[str, int]:
    return {"vcpus": vcpus, "minmem": ram_mib, "maxmem": ram_mib}


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
        "beparams": _beparams(build.vcpus, build.ram_mib),
        "start": True,
        "name_check": False,
        "ip_check": False,
        "wait_for_sync": False,
    }
    if build.tags:
        body["tags"] = list(build.tags)
    if build.hypervisor is not None:
        body["hypervisor"] = build.hypervisor
    if build.hypervisor_parameters:
        body["hvparams"] = dict(build.hypervisor_parameters)
    return body


def exclude(reason: str) -> Request:
    """Return the request that has a cluster heed the tags that builds carry."""
    return Request("PUT", "/2/tags", (("tag", EXCLUSION), ("reason", reason)))


def _nic(nic: NicRequest) -> dict[str, str]:
    given: dict[str, str | None] = {
        "name": nic.name,
        "mac": nic.mac,
        "ip": nic.ip,
        "mode": nic.mode,
        "link": nic.link,
        # With one Ganeti takes neither mode nor link: they are the network's.
        "network": None if nic.network is None else network_name(nic.network),
    }
    return {key: value for key, value in given.items() if value is not None}
