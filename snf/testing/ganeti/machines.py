"""The instances of the simulated cluster."""

from typing import Any
from uuid import uuid4

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from snf.testing.ganeti.failure import OpFailure
from snf.testing.ganeti.networks import Net, check_nic

# What makes a cluster's tag say which instances' tags exclude (Ganeti hail(1)).
_EXCLUSION = "htools:iextags:"


@define(eq=False)
class Machine:
    """
    One instance.  ``up`` is whether it should run, ``running`` whether it does.

    ``live`` are the parameters that its present process was started with, ``live_nics``
    the MACs of the NICs that the process has.  ``hotplugs`` is whether it takes others
    while it runs.  ``refreshed`` are the tags that its node has last looked at.
    ``osparams`` are those that Ganeti keeps, ``installed`` all that the OS definition
    was given, each time that it made the disks.
    """

    name: str
    os: str
    hypervisor: str
    disk_template: str
    disks: list[dict[str, Any]]
    nics: list[dict[str, Any]]
    beparams: dict[str, Any]
    hvparams: dict[str, Any]
    tags: list[str]
    pnode: str
    network_port: int | None
    ctime: float
    uuid: str = field(factory=lambda: str(uuid4()))
    up: bool = False
    running: bool = False
    live: dict[str, Any] = field(factory=dict)
    refreshed: list[str] = field(factory=list)
    live_nics: list[str] = field(factory=list)
    hotplugs: bool = True
    osparams: dict[str, Any] = field(factory=dict)
    installed: list[dict[str, Any]] = field(factory=list, repr=False)

    def start(self) -> None:
        """Run, with the parameters and the NICs as they are now."""
        self.up = self.running = True
        self.live = dict(self.beparams)
        self.refreshed = list(self.tags)
        self.live_nics = [nic["mac"] for nic in self.nics]

    def status(self, answers: bool) -> str:
        """Return Ganeti's word; ``answers`` is whether the node does."""
        if not answers:
            return "ERROR_nodedown"
        if self.up:
            return "running" if self.running else "ERROR_down"
        return "ERROR_up" if self.running else "ADMIN_down"


@frozen
class _Reserved:
    """What an instance that is being made will have."""

    node: str
    tags: list[str]
    macs: list[str]


@define(eq=False)
class Machines:
    """All instances, and the tags of the cluster.

    ``oses`` are the OS definitions there are; None is any.  ``others`` are the nodes
    besides the first, the master, and ``ram_mib`` is what each has.  ``dead`` are nodes
    that do not answer, and what ran there does no more; without ``answers`` none does,
    and all goes on running.  ``offline`` are those that an operator has told Ganeti not
    to ask.  ``display_port`` is where the displays of all are, if they are anywhere.
    """

    clock: IReactorTime
    node: str
    default_hypervisor: str
    oses: frozenset[str] | None = None
    answers: bool = True
    ram_mib: int = 65_536
    others: tuple[str, ...] = ()
    dead: set[str] = field(factory=set)
    offline: set[str] = field(factory=set)
    by_name: dict[str, Machine] = field(factory=dict)
    tags: set[str] = field(factory=set)
    groups: tuple[str, ...] = ("default",)
    networks: dict[str, Net] = field(factory=dict)
    display_port: int | None = None
    _next_port: int = field(init=False, default=11000)
    _reserved: dict[str, "_Reserved"] = field(init=False, factory=dict)

    def on(self, node: str) -> list[Machine]:
        """Return the instances of a node."""
        return [one for one in self.by_name.values() if one.pnode == node]

    def ram_free_mib(self, node: str) -> int:
        """Return what the guests that run leave of a node's memory."""
        running = [one for one in self.on(node) if one.running]
        return self.ram_mib - sum(one.live.get("maxmem") or 0 for one in running)

    def find(self, name: str) -> Machine:
        """
        Return an instance.

        :raises OpFailure: There is none of that name.
        """
        if name not in self.by_name:
            text = f"Instance '{name}' not known"
            raise OpFailure("OpPrereqError", text, "unknown_entity")
        return self.by_name[name]

    def heard(self, machine: Machine) -> bool:
        """Return whether the node of an instance answers."""
        return self.answers and machine.pnode not in self.dead | self.offline

    def kill(self, node: str) -> None:
        """Let a node die, and all that runs there."""
        self.dead.add(node)
        for machine in self.by_name.values():
            machine.running &= machine.pnode != node

    def target(self, op: dict[str, Any], does: str) -> str:
        """
        Return the node that an instance is to be moved to.

        :param does: What Ganeti calls it: ``migrations`` or ``failovers``.
        :raises OpFailure: It cannot be moved, or not there.
        """
        machine = self.find(op["instance_name"])
        if machine.disks and machine.disk_template not in _MOVABLE:
            text = f"Instance's disk layout '{machine.disk_template}' does not allow"
            raise OpFailure("OpPrereqError", f"{text} {does}", "wrong_state")
        wanted = op["target_node"]
        if wanted is None:
            return self._chosen(machine)
        known = [node for node in (self.node, *self.others) if _is(node, wanted)]
        if not known:
            text = f"Node '{wanted}' not known"
            raise OpFailure("OpPrereqError", text, "unknown_entity")
        if known[0] == machine.pnode:
            text = f"Cannot migrate instance {machine.name} to its primary ({known[0]})"
            raise OpFailure("OpPrereqError", text, "wrong_state")
        return known[0]

    def _chosen(self, machine: Machine) -> str:
        # The allocator is told of all nodes, also of the one that is to be left.
        for node in self.dead - self.offline:
            text = f"Can't get data for node {node}: Error 7: Failed to connect"
            raise OpFailure("OpExecError", text)
        for node in (self.node, *self.others):
            if node != machine.pnode and node not in self.offline:
                return node
        raise OpFailure(
            "OpPrereqError",
            "Can't compute nodes using iallocator 'hail': Request failed: "
            "Group default (preferred): No valid allocation solutions",
            "insufficient_resources",
        )

    def check_new(self, op: dict[str, Any]) -> None:
        """
        See whether an instance can be made.

        :raises OpFailure: Its name or a MAC is taken, there is no such OS, or its tags
            forbid every node that there is.
        """
        name = op["instance_name"]
        if name in self.by_name:
            text = f"Instance '{name}' is already in the cluster"
            raise OpFailure("OpPrereqError", text, "already_exists")
        if op["os_type"] is None:
            text = "No guest OS or OS image specified"
            raise OpFailure("OpPrereqError", text, "wrong_input")
        node = op["pnode"] or self._allocated(op["tags"])
        macs = self._free_macs(op["nics"])
        for nic in op["nics"]:
            check_nic(self.networks, self.groups, nic)
        self.check_os(op["os_type"])
        self._reserved[name] = _Reserved(node, op["tags"], macs)

    def check_os(self, name: str) -> None:
        """
        See whether there is an OS definition.

        :raises OpFailure: There is none.
        """
        if self.oses is not None and name not in self.oses:
            raise OpFailure(
                "OpExecError",
                f"OS Parameters validation failed on node {self.node}: "
                f"Directory for OS {name} not found in search path",
            )

    def _allocated(self, tags: list[str]) -> str:
        """
        Return the first node that new instances with some tags may be on.

        :raises OpFailure: There is none.
        """
        nodes = [self.node, *self.others]
        for node in nodes:
            if not self._excluded(node, tags):
                return node
        text = (
            "Can't compute nodes using iallocator 'hail': Request failed: Group default: "
            f"No valid allocation solutions, failure reasons: FailTags: {len(nodes)}"
        )
        raise OpFailure("OpPrereqError", text, "insufficient_resources")

    def _excluded(self, node: str, tags: list[str]) -> bool:
        """Return whether a node has an instance with one of some tags that exclude."""
        prefixes = tuple(
            tag.removeprefix(_EXCLUSION)
            for tag in self.tags
            if tag.startswith(_EXCLUSION)
        )
        there = {tag for machine in self.on(node) for tag in machine.tags}
        for coming in self._reserved.values():
            there.update(coming.tags if coming.node == node else ())
        return any(tag.startswith(prefixes) for tag in there.intersection(tags))

    def _free_macs(self, nics: list[dict[str, Any]]) -> list[str]:
        """Return the MACs that are asked for, if none is in use or about to be."""
        taken = {nic["mac"] for each in self.by_name.values() for nic in each.nics}
        taken.update(mac for coming in self._reserved.values() for mac in coming.macs)
        asked = [nic["mac"] for nic in nics if nic.get("mac") not in (None, "auto")]
        for mac in asked:
            if mac in taken:
                text = f"MAC address '{mac}' already in use in cluster"
                raise OpFailure("OpPrereqError", text, "resource_not_unique")
        return asked

    def add(self, op: dict[str, Any]) -> None:
        """Make an instance, not started yet."""
        hypervisor = op["hypervisor"] or self.default_hypervisor
        name = op["instance_name"]
        coming = self._reserved.pop(name, None)
        self.by_name[name] = Machine(
            name=name,
            os=op["os_type"],
            hypervisor=hypervisor,
            disk_template=op["disk_template"] or "diskless",
            disks=[dict(disk) for disk in op["disks"]],
            nics=[self._nic(name, index, nic) for index, nic in enumerate(op["nics"])],
            beparams=dict(op["beparams"]),
            hvparams=dict(op["hvparams"]),
            tags=list(op["tags"]),
            pnode=coming.node if coming else op["pnode"] or self._allocated(op["tags"]),
            network_port=self._port() if hypervisor == "kvm" else None,
            ctime=self.clock.seconds(),
            up=op["start"] and not op["no_install"],
            osparams=dict(op.get("osparams") or {}),
            installed=[_given(op)],
        )

    def _port(self) -> int:
        if self.display_port is not None:
            return self.display_port
        self._next_port += 1
        return self._next_port - 1

    def _nic(self, name: str, index: int, given: dict[str, Any]) -> dict[str, Any]:
        mac = given.get("mac")
        if mac is None or mac == "auto":
            serial = len(self.by_name) * 8 + index
            mac = f"aa:00:00:{serial >> 16 & 255:02x}:{serial >> 8 & 255:02x}:{serial & 255:02x}"
        network = self.networks.get(given.get("network") or "")
        mode, link = (
            (given.get("mode", "bridged"), given.get("link", "gnt0"))
            if network is None
            else next(iter(network.groups.values()))
        )
        return {
            "mac": mac,
            "name": given.get("name"),
            "ip": given.get("ip"),
            "mode": mode,
            "link": link,
            "network": given.get("network"),
            "uuid": str(uuid4()),
        }

    def check_nics(self, op: dict[str, Any]) -> None:
        """
        See whether the NICs of an instance can be changed.

        :raises OpFailure: There is no such NIC, or there is one already.
        """
        machine = self.find(op["instance_name"])
        for action, which, given in _changes(op["nics"]):
            if action == "remove":
                _place(machine, which)
                continue
            self._free_macs([given])
            if any(nic["name"] == given["name"] for nic in machine.nics):
                text = f"NIC name '{given['name']}' already used"
                raise OpFailure("OpPrereqError", text, "resource_not_unique")
            check_nic(self.networks, self.groups, given)
        if op["hotplug"] and not self._hotplugs(machine):
            text = f"Hotplug is not possible: Instance {machine.name} is probably down"
            raise OpFailure("OpPrereqError", text, "wrong_state")

    def change_nics(self, op: dict[str, Any]) -> list[Any]:
        """Add and remove NICs; return what Ganeti says of that."""
        machine = self.find(op["instance_name"])
        asked = op["hotplug"] or op["hotplug_if_possible"]
        tries = asked and self._hotplugs(machine)
        works = "done" if machine.hotplugs else "failed"
        said: list[Any] = []
        for action, which, given in _changes(op["nics"]):
            if action == "add":
                place = len(machine.nics)
                nic = self._nic(machine.name, place, given)
                machine.nics.append(nic)
                said.append([f"nic.{place}", f"add:mac={nic['mac']}"])
            else:
                place = _place(machine, which)
                nic = machine.nics.pop(place)
                if not tries:
                    said.append([f"nic/{place}", "remove"])
            if tries:
                said.append([f"nic.{place}", f"hotplug:{works}"])
            if tries and machine.hotplugs:
                live = [mac for mac in machine.live_nics if mac != nic["mac"]]
                machine.live_nics = [*live, nic["mac"]] if action == "add" else live
        return said

    def _hotplugs(self, machine: Machine) -> bool:
        return machine.running and machine.hypervisor == "kvm"


def _given(op: dict[str, Any]) -> dict[str, Any]:
    """Return all that the OS definition is given of what an opcode has."""
    parts = ("osparams", "osparams_private", "osparams_secret")
    return {
        name: value for part in parts for name, value in (op.get(part) or {}).items()
    }


def _is(node: str, wanted: str) -> bool:
    """Whether a node is meant: by its name, or by what is before a dot of it."""
    return f"{node}.".startswith(f"{wanted}.")


# Ganeti's DTS_MIRRORED (lib/constants.py).
_MOVABLE = frozenset(
    {"blockdev", "diskless", "drbd", "ext", "gluster", "rbd", "sharedfile"}
)


def _changes(nics: list[Any]) -> list[tuple[str, Any, dict[str, Any]]]:
    return [(action, which, given) for action, which, given in nics]


def _place(machine: Machine, which: Any) -> int:
    for place, nic in enumerate(machine.nics):
        if which in (nic["name"], nic["uuid"]):
            return place
    text = f"Cannot find NIC with identifier {which}"
    raise OpFailure("OpPrereqError", text, "unknown_entity")
