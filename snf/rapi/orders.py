"""What to ask of Ganeti for each kind of order.

Every request carries the order's id as the reason: Ganeti keeps that with the job from
the moment it accepts it, also when the job fails and when it is archived.  The one to
reinstall takes no reason: its id is an OS parameter there.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from snf.core.guest import DRIVE_MIB, DRIVE_NAME, Parameters
from snf.core.naming import (
    EXCLUSION,
    ORDER_PARAMETER,
    network_name,
    order_reason,
)
from snf.core.order import Build, Kind, NicRequest, Order, Sizes


@frozen
class Request:
    """One call of the remote API; ``body`` becomes JSON and may hold secrets."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, object] | None = field(default=None, repr=False)


NOTHING_TOLD = Parameters()


def request(
    order: Order,
    name: str,
    shutdown_timeout_s: int,
    after_job: int | None = None,
    needs_success: bool = False,
    hotplug: str = "hotplug_if_possible",
    parameters: Parameters = NOTHING_TOLD,
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
    :param parameters: What the OS definition is given besides what the image says.
    :raises ValueError: The order does not say what to build or to change; or it is a
        FIREWALL or an IMAGE, which is several requests; or a REBUILD is to wait or to have secrets,
        for which Ganeti has no means.
    """
    if order.kind in (Kind.FIREWALL, Kind.IMAGE):
        raise ValueError(f"order {order.id} is not one request")
    if order.kind is Kind.REBUILD:
        if after_job is not None or parameters.secret:
            raise ValueError(f"order {order.id} can neither wait nor have secrets")
        return _rebuild(order, name, parameters)
    method, path, query, body = _call(order, name, shutdown_timeout_s)
    if order.kind is Kind.CREATE:
        _add_parameters(body, parameters)
    if order.kind in (Kind.ATTACH, Kind.DETACH):
        body[hotplug] = True
    asked = Request(method, path, (*query, _reason(order)), body)
    return (
        asked
        if after_job is None
        else after(asked, after_job, needs_success=needs_success)
    )


def _add_parameters(body: dict[str, object], parameters: Parameters) -> None:
    if parameters.public:
        known: Any = body["osparams"]
        body["osparams"] = {**known, **parameters.public}
    if parameters.secret:
        body["osparams_secret"] = dict(parameters.secret)


def _rebuild(order: Order, name: str, parameters: Parameters) -> Request:
    wanted = order.reinstall
    if wanted is None:
        raise ValueError(f"order {order.id} does not say what to install")
    body: dict[str, object] = {
        "os": wanted.os,
        "start": wanted.start,
        # Of those that the instance had nothing stays (Ganeti, LUInstanceReinstall).
        "osparams": {
            **wanted.os_parameters,
            **parameters.public,
            ORDER_PARAMETER: str(order.id),
        },
    }
    return Request("POST", f"/2/instances/{name}/reinstall", (), body)


def after(asked: Request, *jobs: int, needs_success: bool = True) -> Request:
    """Return a request whose job waits for the end of others, as in :func:`request`."""
    # No status named: any final one will do (Ganeti doc/design-chained-jobs.rst).
    depends = [[job, ["success"] if needs_success else []] for job in jobs]
    return evolve(asked, body={**(asked.body or {}), "depends": depends})


def _reason(order: Order) -> tuple[str, str]:
    return "reason", order_reason(order.id)


_Call = tuple[str, str, tuple[tuple[str, str], ...], dict[str, object]]


def _call(order: Order, name: str, shutdown_timeout_s: int) -> _Call:
    """Return method, path, query and body, without what all have."""
    return _CALLS[order.kind](order, f"/2/instances/{name}", shutdown_timeout_s)


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


def _attach(order: Order, path: str, _timeout_s: int) -> _Call:
    added = ["add", -1, _nic(_requested(order))]
    return "PUT", f"{path}/modify", (), {"nics": [added]}


def _detach(order: Order, path: str, _timeout_s: int) -> _Call:
    removed = ["remove", _requested(order).name, {}]
    return "PUT", f"{path}/modify", (), {"nics": [removed]}


def _requested(order: Order) -> NicRequest:
    if order.nic is None:
        raise ValueError(f"order {order.id} does not say which NIC")
    return order.nic


def _create(order: Order, path: str, _timeout_s: int) -> _Call:
    if order.build is None:
        raise ValueError(f"order {order.id} does not say what to build")
    collection, _, name = path.rpartition("/")
    return "POST", collection, (), _new(order.build, name)


def _start(_order: Order, path: str, _timeout_s: int) -> _Call:
    return "PUT", f"{path}/startup", (), {}


def _stop(_order: Order, path: str, timeout_s: int) -> _Call:
    return "PUT", f"{path}/shutdown", (), {"timeout": timeout_s}


def _reboot(order: Order, path: str, timeout_s: int) -> _Call:
    # Ganeti's own "soft" resets the machine without asking the guest; "hard" stops and
    # starts it, and asks the guest first unless that may take 0 s.
    body: dict[str, object] = {"shutdown_timeout": 0 if order.hard else timeout_s}
    return "POST", f"{path}/reboot", (("type", "hard"),), body


def _delete(_order: Order, path: str, _timeout_s: int) -> _Call:
    # Nothing on its disks will be needed again.
    return "DELETE", path, (), {"shutdown_timeout": 0}


def _grow(order: Order, path: str, _timeout_s: int) -> _Call:
    # To so much, not by so much: asked for twice it is done once.
    size = {"amount": _sizes(order).disk_gib * 1024, "absolute": True}
    return "POST", f"{path}/disk/0/grow", (), {**size, "wait_for_sync": False}


def _modify(order: Order, path: str, _timeout_s: int) -> _Call:
    sizes = _sizes(order)
    body = {"beparams": _beparams(sizes.vcpus, sizes.ram_mib), "force": order.force}
    return "PUT", f"{path}/modify", (), body


def _sizes(order: Order) -> Sizes:
    if order.sizes is None:
        raise ValueError(f"order {order.id} does not say how large")
    return order.sizes


def _migrate_live(order: Order, path: str, _timeout_s: int) -> _Call:
    return "PUT", f"{path}/migrate", (), {"mode": "live"} | _where(order)


def _migrate(order: Order, path: str, timeout_s: int) -> _Call:
    # Ganeti's "non-live" migration leaves the guest paused: a failover stops it, and
    # starts it there if it ran.
    body = {"shutdown_timeout": timeout_s} | _where(order)
    return "PUT", f"{path}/failover", (), body


def _evacuate(order: Order, path: str, timeout_s: int) -> _Call:
    # Whether or not its node can still be told to stop it.
    method, where, query, body = _migrate(order, path, timeout_s)
    return method, where, query, body | {"ignore_consistency": True}


_CALLS: dict[Kind, Callable[[Order, str, int], _Call]] = {
    Kind.CREATE: _create,
    Kind.START: _start,
    Kind.STOP: _stop,
    Kind.REBOOT: _reboot,
    Kind.DELETE: _delete,
    Kind.GROW: _grow,
    Kind.MODIFY: _modify,
    Kind.ATTACH: _attach,
    Kind.DETACH: _detach,
    Kind.MIGRATE: _migrate,
    Kind.MIGRATE_LIVE: _migrate_live,
    Kind.EVACUATE: _evacuate,
}


def _where(order: Order) -> dict[str, object]:
    """Return where a server is to be taken; nothing leaves it to Ganeti."""
    where: dict[str, object] = {}
    if order.node is not None:
        where["target_node"] = order.node
    if order.force:
        where["ignore_ipolicy"] = True
    return where


def _new(build: Build, name: str) -> dict[str, object]:
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
        "disks": _disks(build),
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


def _disks(build: Build) -> list[dict[str, object]]:
    disks: list[dict[str, object]] = []
    if build.disk_gib:
        disks.append({"size": build.disk_gib * 1024})
    if build.drive:
        disks.append({"size": DRIVE_MIB, "name": DRIVE_NAME})
    return disks


def firewall(
    order: Order,
    name: str,
    os: str,
    add: Collection[str],
    remove: Collection[str],
    together: bool = False,
) -> Iterator[tuple[Request, ...]]:
    """
    Return the steps that carry out a FIREWALL order, each to follow the one before it.

    The requests of one step need not follow each other.  What is to be let in is added
    before anything is removed, so that nothing else is meanwhile.  The last one changes
    nothing: it is there for the hook that has the instance's node look at the tags again.

    :param os: What the instance has been made with, so that this can be left as it is.
    :param together: Whether it may be removed first as well: then both are one step,
        if they are few.
    """
    path = f"/2/instances/{name}"
    steps: list[tuple[Request, ...]] = []
    for method, tags in (("PUT", sorted(add)), ("DELETE", sorted(remove))):
        for start in range(0, len(tags), TAGS_AT_ONCE):
            chosen = tags[start : start + TAGS_AT_ONCE]
            query = (*_tags(chosen), _reason(order))
            asked = Request(method, f"{path}/tags", query, {})
            steps.append((asked,))
    if together and max(len(add), len(remove)) <= TAGS_AT_ONCE:
        yield tuple(asked for step in steps for asked in step)
    else:
        yield from steps
    yield (_unchanged(order, path, os),)


def _unchanged(order: Order, path: str, os: str) -> Request:
    """Return the change of nothing, for which Ganeti runs its hooks all the same."""
    # Forced, lest Ganeti ask the node whether it has this OS.
    body = {"os_name": os, "force": True}
    return Request("PUT", f"{path}/modify", (_reason(order),), body)


def image(
    order: Order, name: str, os: str, add: Collection[str], remove: Collection[str]
) -> tuple[tuple[Request, ...], Request, Request]:
    """
    Return what carries out an IMAGE order: first its tags, what reads them, what removes them.

    The second changes nothing: it is there for the hook that has the instance's node
    begin.  The third is to follow it, whatever came of it.

    :param os: As for :func:`firewall`.
    :param add: The tags that tell the node of the order.
    :param remove: Those of orders before.
    """
    path = f"/2/instances/{name}"
    tags = tuple(
        Request(method, f"{path}/tags", (*_tags(some), _reason(order)), {})
        for method, some in (("DELETE", remove), ("PUT", add))
        if some
    )
    after = Request("DELETE", f"{path}/tags", (*_tags(add), _reason(order)), {})
    return tags, _unchanged(order, path, os), after


def untag(name: str, tags: Collection[str]) -> Request:
    """Return the request that removes an instance's tags, for no order."""
    reason = ("reason", "tags of an image that is no longer made")
    query = (*_tags(tags), reason)
    return Request("DELETE", f"/2/instances/{name}/tags", query, {})


def _tags(some: Collection[str]) -> Iterator[tuple[str, str]]:
    return (("tag", tag) for tag in sorted(some))


# Ganeti reads 8192 bytes of a request's first line (lib/http/server.py), and tags are
# escaped there.
TAGS_AT_ONCE = 32


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


def _beparams(vcpus: int, ram_mib: int) -> dict[str, int]:
    return {"vcpus": vcpus, "minmem": ram_mib, "maxmem": ram_mib}
