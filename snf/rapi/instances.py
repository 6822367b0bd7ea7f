"""Ganeti's instances, as its remote API tells of them."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from snf.core.report import Nic

# What an instance query has to ask for; see ``parse``.  The bulk listing has these too,
# and all the hypervisor's parameters besides: eight times the bytes.
FIELDS = (
    "name",
    "status",
    "uuid",
    "pnode",
    "network_port",
    "tags",
    "nic.macs",
    "nic.names",
    "nic.ips",
    "nic.links",
    "nic.networks.names",
    "os",
)

# Ganeti lib/constants.py, INSTST_*.  ADMIN_offline is a stopped one that may not be
# started.  What is absent (the node does not answer, or a status to come) is None.
_RUNNING = {
    "running": True,
    "ERROR_up": True,
    "ERROR_wrongnode": True,
    "ADMIN_down": False,
    "ADMIN_offline": False,
    "ERROR_down": False,
    "USER_down": False,
}


@frozen
class Instance:
    """
    One instance as it is now.

    ``running`` is None where the node does not answer.  ``network_port`` is where its
    display listens on its node ``pnode``.
    """

    name: str
    status: str
    uuid: str
    pnode: str | None
    running: bool | None = None
    network_port: int | None = None
    tags: tuple[str, ...] = ()
    nics: tuple[Nic, ...] = ()
    os: str = ""


@frozen
class Listing:
    """
    All instances of a cluster.

    Nothing in it is older than ``time``, seconds since the epoch on the master's
    clock: a job that ended before is seen in it.
    """

    time: float
    instances: tuple[Instance, ...]


def parse(values: Mapping[str, Any]) -> Instance:
    """
    Return the instance that the values of ``FIELDS`` make.

    :raises LookupError, TypeError, ValueError, AttributeError: They make none.
    """
    pnode, port, status = values["pnode"], values["network_port"], values["status"]
    nics = zip(
        values["nic.macs"],
        values["nic.names"],
        values["nic.ips"],
        values["nic.links"],
        values["nic.networks.names"],
        strict=True,
    )
    return Instance(
        name=_text(values["name"]),
        status=_text(status),
        uuid=_text(values["uuid"]),
        pnode=None if pnode is None else _text(pnode),
        running=_RUNNING.get(status),
        network_port=None if port is None else int(port),
        tags=tuple(map(_text, values["tags"])),
        nics=tuple(
            Nic(mac=_text(mac), name=name, ip=ip, link=link, network=network)
            for mac, name, ip, link, network in nics
        ),
        os=_text(values["os"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r}"[:200])
    return value
