"""``twistd cyclades``: the HTTP APIs, submitter, dispatcher, reconciler, vncauthproxy."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import asdict
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import IService, MultiService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from snf.api.compute.build import Builder
from snf.api.compute.stats import Graphs
from snf.api.identity.passwords import PasswordChecker
from snf.api.tree import Parts, site
from snf.bus.connect import open_bus
from snf.bus.interface import Bus
from snf.bus.topology import queue_names
from snf.config import ConfigError, Cyclades, Stats, load
from snf.core.firewall import Offered, Profile
from snf.core.network import Plan
from snf.core.quota import Resource
from snf.logic.confirmations import Confirmations
from snf.logic.connections import Connections
from snf.logic.dispatcher import Dispatcher
from snf.logic.guests import Nodes
from snf.logic.reconciler import Reconciler
from snf.logic.retention import Retention
from snf.logic.submitter import Submitter
from snf.rapi.client import connect
from snf.storage.database import Database
from snf.storage.listener import Listener
from snf.storage.version import SchemaCheck
from snf.tap.console import vncauthproxy
from snf.tap.doors import console_doors
from snf.tap.garbage import Frozen
from snf.tap.images import image_files
from snf.tap.keystone import keystone_desk
from snf.tap.layers import Layers
from snf.tap.nodes import serial_lines
from snf.tap.secrets import Secrets, read_secrets
from snf.tap.shared import endpoint
from snf.tap.turns import ShortTurns


class Options(UsageOptions):
    """The one option: where the configuration is."""

    optParameters = [
        ["config", "c", "/etc/cyclades/cyclades.toml", "The configuration file."]
    ]
    settings: Cyclades
    secrets: Secrets

    def postOptions(self) -> None:
        """Read the configuration, so that a mistake in it is one line."""
        try:
            self.settings = load(Path(self["config"]), Cyclades)
            self.secrets = read_secrets(self.settings)
        except ConfigError as failure:
            raise UsageError(str(failure)) from None


def makeService(options: Options) -> IService:
    """Return the service that does what the configuration says."""
    from twisted.internet import reactor

    settings = options.settings
    bus = open_bus(settings.broker, reactor, settings.ganeti.instance_prefix)
    whole = assemble(reactor, settings, options.secrets, bus)
    Frozen().setServiceParent(whole)
    ShortTurns().setServiceParent(whole)
    return whole


def assemble(
    reactor: Any, settings: Cyclades, secret: Secrets, bus: Bus
) -> MultiService:
    """Return the services that the settings name, on a given bus."""
    layers = Layers()
    if settings.services.run == ("vncauthproxy",):
        # It needs no database, which need not be reached from its host.
        vncauthproxy(reactor, settings.console, secret.console).setServiceParent(layers)
        return layers
    base = settings.database
    database = Database(reactor, base.dsn, secret.database, base.threads)
    database.setServiceParent(layers)
    SchemaCheck(reactor, database).setServiceParent(layers)
    connections = Connections(
        lambda endpoint: connect(reactor, endpoint, settings.ganeti.request_timeout_s)
    )
    connections.setServiceParent(layers)
    whole = MultiService()
    whole.setServiceParent(layers)
    parts: dict[str, Callable[[], None]] = {
        "api": lambda: _api(
            reactor, settings, secret, database, connections
        ).setServiceParent(whole),
        "dispatcher": lambda: _dispatcher(
            reactor, settings, database, bus
        ).setServiceParent(whole),
        "submitter": lambda: _submitter(
            reactor, settings, secret, database, connections
        ).setServiceParent(whole),
        "reconciler": lambda: _reconciler(
            reactor, settings, database, connections
        ).setServiceParent(whole),
        "vncauthproxy": lambda: vncauthproxy(
            reactor, settings.console, secret.console
        ).setServiceParent(whole),
    }
    for name in settings.services.run:
        parts[name]()
    return layers


def _api(
    reactor: Any,
    settings: Cyclades,
    secret: Secrets,
    database: Database,
    connections: Connections,
) -> IService:
    whole = MultiService()
    serial = serial_lines(reactor, settings, secret.nodes, database, connections)
    if serial is not None:
        serial.setServiceParent(whole)
    keystone = None
    if secret.keystone is not None:
        desk = keystone_desk(reactor, settings.keystone, secret.keystone, database)
        desk.setServiceParent(whole)
        keystone = desk.authority
    checker = PasswordChecker(reactor)
    checker.setServiceParent(whole)
    limits = {one: getattr(settings.quota, one.value) for one in Resource}
    files = image_files(reactor, settings.images, database, limits)
    files.service.setServiceParent(whole)
    doors = console_doors(
        reactor, settings, secret.console, database, connections, new_token, serial
    )
    doors.service.setServiceParent(whole)
    tree = site(
        Parts(
            clock=reactor,
            database=database,
            api=settings.api,
            identity=settings.identity,
            instance_prefix=settings.ganeti.instance_prefix,
            verify=checker.verify,
            digest=checker.digest,
            new_token=new_token,
            builder=Builder(
                limits=limits,
                firewall=Offered(
                    Profile(settings.network.default_firewall),
                    settings.network.firewall_profiles,
                ),
                seal=None if secret.nodes is None else secret.nodes.seal,
                force_drive=settings.nodes.force_config_drive,
            ),
            consoles=doors.consoles,
            doors=doors.doors,
            limits=limits,
            graphs=_graphs(settings.stats, secret.stats),
            keystone=keystone,
            plan=Plan.of(asdict(settings.network)),
            keys=secret.nodes,
            files=files.files,
        )
    )
    where = endpoint(reactor, settings.api.listen)
    StreamServerEndpointService(where, tree).setServiceParent(whole)
    return whole


def _dispatcher(reactor: Any, settings: Cyclades, database: Database, bus: Bus) -> Any:
    prefix = settings.ganeti.instance_prefix
    dispatcher = Dispatcher(reactor, database, prefix)
    return bus.consumer(queue_names(prefix), dispatcher.receive)


def _reconciler(
    reactor: Any, settings: Cyclades, database: Database, connections: Connections
) -> IService:
    whole = MultiService()
    Reconciler(
        reactor,
        database,
        connections,
        settings.ganeti.instance_prefix,
        settings.reconciler.interval_s,
    ).setServiceParent(whole)
    Retention(reactor, database, settings.retention.days).setServiceParent(whole)
    Confirmations(
        reactor, database, settings.reconciler.resize_confirm_window_s
    ).setServiceParent(whole)
    return whole


def _submitter(
    reactor: Any,
    settings: Cyclades,
    secret: Secrets,
    database: Database,
    connections: Connections,
) -> IService:
    layers = Layers()
    claimant = secrets.randbelow(2**31 - 1) + 1
    listener = Listener(
        reactor,
        settings.database.dsn,
        secret.database,
        claimant,
        lambda: submitter.wake(),
    )
    submitter = Submitter(
        reactor,
        database,
        connections,
        settings.submitter,
        settings.ganeti,
        claimant,
        lambda: listener.alive,
        Nodes(
            settings.nodes.url or settings.api.public_url,
            settings.nodes.url_lifetime_s,
            settings.nodes.shared_images,
            secret.nodes,
        ),
    )
    # The lock is let go only when nothing of this claimant is under way any more.
    listener.setServiceParent(layers)
    submitter.setServiceParent(layers)
    return layers


def _graphs(settings: Stats, secret: str | None) -> Graphs:
    return Graphs(settings.url, secret or "", settings.refresh_s)


def new_token() -> str:
    """Return what nobody can guess, and no command takes for one of its options."""
    while (token := secrets.token_urlsafe(32)).startswith("-"):
        pass
    return token
