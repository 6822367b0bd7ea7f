"""The all-in-one as a whole: its parts, and the order in which they come and go."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial

from attrs import evolve, frozen

from snf.allinone import daemons, packages, pages
from snf.allinone.failure import Failure
from snf.allinone.ganeti import RAPI_USER, Ganeti
from snf.allinone.guest import Guest, hardware_serves
from snf.allinone.images import Source, have, tiny
from snf.allinone.layout import Instance, Layout, for_ports, port_is_free
from snf.allinone.namespace import may_change_networks, refused
from snf.allinone.postgres import Postgres, debian_programs
from snf.allinone.process import Daemon
from snf.allinone.progress import Progress
from snf.allinone.public import TABLE, bridges_are_filtered
from snf.allinone.rabbitmq import RabbitMQ
from snf.allinone.seed import Site, seed, transaction
from snf.core.catalog import Cluster
from snf.core.network import Kind

_WORKERS = 10
_NEEDED_MIB = 400
"""A new one takes about 100, and RabbitMQ takes no messages with less than 100 free."""


@frozen
class Part:
    """One line of ``status``: ``pid`` is None when it does not run."""

    name: str
    pid: int | None
    address: str


@frozen(slots=False)
class Cloud:
    """One all-in-one.  ``durable=False`` is for tests: a power cut loses data.

    ``images`` are to be there beside its own.
    """

    layout: Layout
    instance: Instance
    progress: Progress
    durable: bool = True
    images: tuple[Source, ...] = ()

    @cached_property
    def postgres(self) -> Postgres:
        """Its database."""
        return Postgres(
            self.layout, self.instance, debian_programs(), durable=self.durable
        )

    @cached_property
    def rabbitmq(self) -> RabbitMQ:
        """Its broker."""
        return RabbitMQ(self.layout, self.instance)

    @cached_property
    def guest(self) -> Guest:
        """What its servers boot."""
        return Guest(self.layout)

    @cached_property
    def ganeti(self) -> Ganeti:
        """Its cluster."""
        return Ganeti(self.layout, self.instance, self.guest)

    def up(self) -> None:
        """
        Have all of it running; what runs already is left alone.

        :raises Failure: A part does not come up.
        """
        names = packages.SERVICES + packages.CLUSTER
        packages.install(names, self.layout.log, self.progress)
        with _together() as start:
            postgres = start(self._postgres)
            rabbitmq = start(self._rabbitmq)
            guest = start(self._guest)
            # On a new machine the trial goes on while the cluster is made.
            trial = start(lambda: guest.result() and self._try_hardware())
            ganeti = start(lambda: guest.result() and self._ganeti())
            api = start(lambda: self._api(postgres, rabbitmq))
            own = start(lambda: self._images(guest, api))
            eventd = start(lambda: self._eventd(rabbitmq, ganeti))
            nfdhcpd = start(lambda: self._nfdhcpd(ganeti))
            relay = start(lambda: self._relay(ganeti))
            noded = start(lambda: self._noded(ganeti, api))
            hardware = start(lambda: self._hardware(trial, ganeti))
            page = start(lambda: pages.have(self.layout.log, self.progress))
            _all([api, own, eventd, nfdhcpd, noded, relay, hardware, page])
        self._still_there()

    def up_services(self) -> None:
        """Have PostgreSQL and RabbitMQ running, and nothing else."""
        packages.install(packages.SERVICES, self.layout.log, self.progress)
        self.postgres.up()
        self.rabbitmq.up()

    def down(self) -> None:
        """Stop all of it; what does not run is fine."""
        with _together() as start:
            stopped = [start(daemon.stop) for daemon in self._ours]
            _all([*stopped, start(self.ganeti.down)])
            _all([start(self.rabbitmq.down), start(self._postgres_down)])
        self.progress.say("cloud", "down")

    def purge(self) -> None:
        """Delete what it kept.  It must be down."""
        self.ganeti.switch.forget()
        shutil.rmtree(self.layout.state)

    def status(self) -> list[Part]:
        """Return how each part does."""
        instance = self.instance
        parts = [
            Part(
                "twistd cyclades",
                daemons.cyclades(self.layout).pid(),
                f"http://127.0.0.1:{instance.api_port}",
            ),
            *(
                Part(f"twistd snf-{one.state_file.stem}", one.pid(), "")
                for one in self._eventds
            ),
            *(
                Part(f"twistd {one.state_file.stem}", one.pid(), "")
                for one in self._nfdhcpds
            ),
            *(
                Part(f"twistd snf-{one.state_file.stem}", one.pid(), "")
                for one in self._nodeds
            ),
            Part(
                "twistd portforward",
                daemons.relay(self.layout, instance).pid(),
                f"http://{instance.host_address}:{instance.api_port}",
            ),
            Part(
                "PostgreSQL",
                _postgres_daemon_pid(self.layout, instance),
                f"127.0.0.1:{instance.postgres_port}",
            ),
            Part(
                "RabbitMQ",
                self.rabbitmq.daemon.pid(),
                f"127.0.0.1:{instance.amqp_port}",
            ),
        ]
        return parts + [Part(*part) for part in self.ganeti.parts()]

    @property
    def _ours(self) -> list[Daemon]:
        """Every process of ours."""
        relay = daemons.relay(self.layout, self.instance)
        on_nodes = [*self._eventds, *self._nfdhcpds, *self._nodeds]
        return [daemons.cyclades(self.layout), *on_nodes, relay]

    @property
    def _eventds(self) -> list[Daemon]:
        """Each node's; only the master's has anything to tell."""
        return [daemons.eventd(self.layout, node) for node in self.instance.nodes]

    @property
    def _nfdhcpds(self) -> list[Daemon]:
        """Each node's, which answers the guests that are on it."""
        return [daemons.nfdhcpd(self.layout, one) for one in self.ganeti.machines]

    @property
    def _nodeds(self) -> list[Daemon]:
        """Each node's, which serves the guests that are on it."""
        return [daemons.noded(self.layout, one) for one in self.ganeti.machines]

    def _postgres(self) -> bool:
        if self.postgres.up():
            self.progress.say("PostgreSQL", "ready")
        return True

    def _postgres_down(self) -> None:
        # Its programs are not needed, and may not be there any more.
        Postgres(self.layout, self.instance, self.layout.state).down()

    def _rabbitmq(self) -> bool:
        if self.rabbitmq.up():
            self.progress.say("RabbitMQ", "ready")
        return True

    def _guest(self) -> bool:
        if self.guest.build():
            self.progress.say("guest", "kernel, RAM disk and disk built")
        return True

    def _images(self, guest: "Future[bool]", api: "Future[None]") -> None:
        guest.result()
        api.result()
        for source in (tiny(self.guest.disk), *self.images):
            begin = partial(transaction, self.postgres)
            say = partial(self.progress.say, "image")
            if have(begin, self.layout, source, say):
                self.progress.say("image", f"{source.name}: there")

    def _try_hardware(self) -> bool:
        if self.instance.kvm is not None:
            return self.instance.kvm
        serves = hardware_serves(self.guest)
        self.progress.say(
            "KVM", "hardware serves" if serves else "no hardware; emulating the CPU"
        )
        return serves

    def _ganeti(self) -> bool:
        if not bridges_are_filtered(self.layout.log):
            text = "this kernel has no br_netfilter: servers with a NIC on a private"
            self.progress.say("networks", f"{text} network will not start")
        if self.ganeti.up(bool(self.instance.kvm)):
            self.progress.say("Ganeti", f"cluster answers at {self.ganeti.rapi_url}")
        return True

    def _hardware(self, trial: "Future[bool]", ganeti: "Future[bool]") -> None:
        ganeti.result()
        if self.instance.kvm is None:
            if trial.result():
                self.ganeti.use_hardware()
            self.layout.save(evolve(self.instance, kvm=trial.result()))

    def _api(self, postgres: "Future[bool]", rabbitmq: "Future[bool]") -> None:
        postgres.result()
        seed(self.postgres, self.layout, self._site())
        rabbitmq.result()
        daemons.configure_cyclades(
            self.layout, self.instance, self.postgres, self.rabbitmq
        )
        if daemons.cyclades(self.layout).start():
            daemons.wait_for_api(self.layout, self.instance.api_port)
            self.progress.say("twistd cyclades", "the API answers")

    def _eventd(self, rabbitmq: "Future[bool]", ganeti: "Future[bool]") -> None:
        rabbitmq.result()
        ganeti.result()
        for machine in self.ganeti.machines:
            daemons.configure_eventd(self.layout, self.rabbitmq, machine)
        started = [daemon.start() for daemon in self._eventds]
        if any(started):
            self.progress.say("twistd snf-eventd", "started")

    def _nfdhcpd(self, ganeti: "Future[bool]") -> None:
        ganeti.result()
        daemons.configure_nfdhcpd(self.layout)
        fed = [daemons.feed_nfdhcpd(machine) for machine in self.ganeti.machines]
        if not all(fed):
            text = "this kernel refuses rules for nfdhcpd (NFQUEUE, physdev): servers"
            self.progress.say("networks", f"{text} of other images get no addresses")
        started = [daemon.start() for daemon in self._nfdhcpds]
        if any(started):
            self.progress.say("twistd nfdhcpd", "started")

    def _noded(self, ganeti: "Future[bool]", api: "Future[None]") -> None:
        ganeti.result()
        api.result()  # with its configuration comes the key
        for machine in self.ganeti.machines:
            daemons.configure_noded(self.layout, self.instance, machine)
        started = [daemon.start() for daemon in self._nodeds]
        if any(started):
            self.progress.say("twistd snf-noded", "started")

    def _relay(self, ganeti: "Future[bool]") -> None:
        ganeti.result()  # with it comes the address
        daemons.relay(self.layout, self.instance).start()

    def _still_there(self) -> None:
        for part in self._ours:
            if part.pid() is None:
                raise Failure(f"{part.name} ended at once", part.log)

    def _site(self) -> Site:
        instance = self.instance
        return Site(
            cluster=Cluster(
                id=0,
                name=instance.cluster_name,
                url=self.ganeti.rapi_url,
                username=RAPI_USER,
                password_file=str(self.ganeti.password_file),
                ca_file=str(self.ganeti.ca_file),
                mac_prefix=f"aa:00:{instance.octet:02x}",
            ),
            network=instance.public4,
            gateway=self.ganeti.switch.public.gateway4,
            pool=(instance.public4[10], instance.public4[250]),
            kind=Kind.IP_LESS_ROUTED,
            mode="routed",
            link=TABLE,
            public6=(instance.public6, self.ganeti.switch.public.gateway6),
            # Other nodes cannot have what is in a file on one.
            disk_template="file" if instance.node_count == 1 else "sharedfile",
        )


def check_machine(command: str) -> None:
    """
    Return if this process may do all that ``./cloud COMMAND`` needs here.

    :raises Failure: It may not; the text offers what it may do.
    """
    if os.getuid() != 0:
        raise Failure(f"root is needed: sudo ./cloud {command}; without: ./cloud demo")
    if shutil.which("apt-get") is None:
        raise Failure("this machine has no apt-get (Debian): try ./cloud demo instead")
    if refused():
        raise Failure(
            "the kernel refuses namespaces here (unshare --net): try ./cloud demo"
        )
    if not may_change_networks():
        raise Failure("this root may not change networks (ip link): try ./cloud demo")


def check_state(layout: Layout) -> None:
    """
    Return if the state directory will do.

    :raises Failure: A directory above it is closed to the accounts of PostgreSQL and
        RabbitMQ, or the disk is full.
    """
    for directory in layout.state.parents:
        if directory.exists() and not directory.stat().st_mode & 0o001:
            raise Failure(
                f"{directory} is closed to other accounts, such as PostgreSQL's: "
                "choose another --state"
            )
    place = next(
        path for path in (layout.state, *layout.state.parents) if path.exists()
    )
    free_mib = shutil.disk_usage(place).free // 2**20
    if free_mib < _NEEDED_MIB and layout.load() is None:
        raise Failure(
            f"{place} has {free_mib} MiB free, a new cloud needs {_NEEDED_MIB}: "
            "choose another --state"
        )


def test_environment(cloud: Cloud) -> dict[str, str]:
    """Return the variables by which tests find the real parts."""
    return {
        "CYCLADES_TEST_POSTGRES": cloud.postgres.superuser_dsn,
        "CYCLADES_TEST_AMQP": cloud.rabbitmq.url,
        "CYCLADES_TEST_AMQP_PASSWORD_FILE": str(cloud.rabbitmq.password_file),
    }


def ports_for(layout: Layout, instance: Instance, port: int | None) -> Instance:
    """
    Return the choices with ports that can be used now.

    :raises Failure: Something else listens on the API's port.
    """
    rabbitmq = RabbitMQ(layout, instance)
    running = {
        "api_port": daemons.cyclades(layout).pid(),
        "postgres_port": _postgres_daemon_pid(layout, instance),
        "amqp_port": rabbitmq.daemon.pid(),
    }
    if running["amqp_port"] is None:
        rabbitmq.down()  # what is left of it would occupy its ports
    used = {name for name, pid in running.items() if pid is not None}
    return for_ports(instance, port, used, port_is_free)


def _postgres_daemon_pid(layout: Layout, instance: Instance) -> int | None:
    return Postgres(layout, instance, layout.state).daemon.pid()


@contextmanager
def _together() -> "Iterator[Callable[[Callable[[], object]], Future]]":
    with ThreadPoolExecutor(_WORKERS) as pool:
        yield pool.submit


def _all(futures: "Sequence[Future]") -> None:
    """Wait for all, also after one has failed; then raise what failed first."""
    failures = [future.exception() for future in futures]
    for failure in failures:
        if failure is not None:
            raise failure
