"""Our own daemons, as the all-in-one runs them."""

import hashlib
import http.client
import sys
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from snf.allinone import settings
from snf.allinone.failure import Failure
from snf.allinone.files import password, write
from snf.allinone.images import store
from snf.allinone.layout import Instance, Layout, Node
from snf.allinone.machine import Machine
from snf.allinone.postgres import Postgres
from snf.allinone.process import Daemon, clean_environment, wait_for
from snf.allinone.rabbitmq import RabbitMQ
from snf.allinone.scripts import ASKING, BINDINGS, CHECKOUT, QUEUES
from snf.core.node_keys import NodeKeys, written

NODED_PORT = 8781
"""Where the API asks each node."""

_PAGES = CHECKOUT / "ui"
_TWISTD = str(Path(sys.executable).with_name("twistd"))


def cyclades(layout: Layout, plugin: str = "cyclades") -> Daemon:
    """Return ``twistd cyclades``; another plugin can stand in for it."""
    return _twistd(layout, "cyclades", plugin, configuration(layout))


def eventd(layout: Layout, node: Node) -> Daemon:
    """Return ``twistd snf-eventd`` of a node."""
    name = f"eventd{node.suffix}"
    return _twistd(layout, name, "snf-eventd", layout / f"{name}.toml")


def nfdhcpd(layout: Layout, machine: Machine) -> Daemon:
    """Return ``twistd nfdhcpd`` of a node, in whose namespaces only it can be started."""
    name = f"nfdhcpd{machine.node.suffix}"
    daemon = _twistd(layout, name, "nfdhcpd", layout / "nfdhcpd.toml")
    return _inside(machine, daemon)


def noded(layout: Layout, machine: Machine) -> Daemon:
    """Return ``twistd snf-noded`` of a node, in whose namespaces only it can be started."""
    name = f"noded{machine.node.suffix}"
    return _inside(machine, _twistd(layout, name, "snf-noded", layout / f"{name}.toml"))


def relay(layout: Layout, instance: Instance) -> Daemon:
    """
    Return what has the nodes reach the API, by an address that they alone have a way to.

    The API itself listens on this machine's loopback.
    """
    listen = f"tcp:{instance.api_port}:interface={instance.host_address}"
    options = ["--nodaemon", "--pidfile=", "--logfile=-", "portforward"]
    options += ["--host=127.0.0.1", f"--dest_port={instance.api_port}"]
    return Daemon(
        name="twistd portforward",
        argv=(_TWISTD, *options, f"--port={listen}"),
        state_file=layout / "run" / "relay.json",
        log=layout / "log" / "relay.log",
        environment=clean_environment(PYTHONUNBUFFERED="1"),
        directory=layout.state,
        version=listen,
    )


def configuration(layout: Layout) -> Path:
    """Return the file that ``twistd cyclades`` and ``snf-manage`` read."""
    return layout / "cyclades.toml"


def configure_cyclades(
    layout: Layout, instance: Instance, postgres: Postgres, rabbitmq: RabbitMQ | None
) -> None:
    """Write ``cyclades.toml``; no RabbitMQ means a bus inside the process."""
    node_key = layout.secret("nodes")
    password(node_key)
    text = settings.cyclades(
        dsn=postgres.dsn,
        dsn_password=postgres.password_file,
        broker=rabbitmq.url if rabbitmq else "memory:",
        broker_password=rabbitmq.password_file if rabbitmq else None,
        port=instance.api_port,
        images=store(layout).directory.absolute(),
        node_key=node_key,
        node_url=f"http://{instance.host_address}:{instance.api_port}",
        # Nodes that are simulated have what is a broker's port otherwise.
        daemon_port=NODED_PORT if rabbitmq else instance.amqp_port,
        control=(layout / "run" / "vncauthproxy.sock").absolute(),
    )
    write(configuration(layout), text)


def configure_eventd(layout: Layout, rabbitmq: RabbitMQ, machine: Machine) -> None:
    """Write a node's ``eventd.toml``.  eventd runs outside of the namespaces."""
    name = f"eventd{machine.node.suffix}"
    text = settings.eventd(
        broker=rabbitmq.url,
        broker_password=rabbitmq.password_file,
        ganeti_data=machine.data,
        spool=machine.spool,
        mark=layout / name / "mark",
        node=machine.node.name,
    )
    (layout / name).mkdir(exist_ok=True)
    write(layout / f"{name}.toml", text)


def configure_nfdhcpd(layout: Layout) -> None:
    """Write ``nfdhcpd.toml``, which is every node's."""
    user = _owner(CHECKOUT)
    write(
        layout / "nfdhcpd.toml",
        settings.nfdhcpd(bindings=Path(BINDINGS), user=user),
    )


def configure_noded(layout: Layout, instance: Instance, machine: Machine) -> None:
    """Write a node's ``noded.toml``, and the key that it shares with the API."""
    key = layout.secret("node-key")
    write(key, written(NodeKeys.of(password(layout.secret("nodes")))) + "\n")
    text = settings.noded(
        user=_owner(CHECKOUT),
        url=f"http://{instance.host_address}:{instance.api_port}",
        key=key,
        listen=f"tcp:{NODED_PORT}:interface={machine.node.address}",
        serial=layout / f"serial{machine.node.suffix}",
        taps=ASKING,
    )
    write(layout / f"noded{machine.node.suffix}.toml", text)


def feed_nfdhcpd(machine: Machine) -> bool:
    """Have a node's rules for nfdhcpd; return whether the kernel takes all of them."""
    run = machine.namespace.run
    run("nfdhcpd: bindings", ["install", "-d", "-m", "755", BINDINGS])
    with suppress(Failure):
        run("nfdhcpd: rules", [QUEUES, "up"])
        return True
    return False


def wait_for_api(layout: Layout, port: int, timeout_s: float = 30) -> None:
    """
    Wait until the API answers.

    :raises Failure: It does not.
    """
    daemon = cyclades(layout)
    wait_for(
        lambda: _answers(port),
        "twistd cyclades",
        timeout_s,
        log=daemon.log,
        alive=lambda: daemon.pid() is not None,
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _twistd(layout: Layout, name: str, plugin: str, config: Path) -> Daemon:
    # In the foreground of a session of its own: whoever starts it knows which
    # process it is, and what it prints before it logs is kept as well.
    options = ["--nodaemon", "--pidfile=", "--logfile=-"]
    return Daemon(
        name=f"twistd {plugin}",
        argv=(
            _TWISTD,
            *options,
            *(plugin, "--config", str(config)),
        ),
        state_file=layout / "run" / f"{name}.json",
        log=layout / "log" / f"{name}.log",
        environment=clean_environment(PYTHONPATH=str(CHECKOUT), PYTHONUNBUFFERED="1"),
        directory=layout.state,
        version=_version(config),
    )


def _inside(machine: Machine, daemon: Daemon) -> Daemon:
    """Return a daemon as it is started in a node's namespaces."""
    namespace = machine.namespace
    inside = namespace.holder.pid() is not None
    return evolve(daemon, argv=tuple(namespace.command(*daemon.argv)) if inside else ())


def _owner(path: Path) -> str:
    """Return who may read what is there for sure; root has few rights in nfdhcpd."""
    try:
        return path.owner()
    except KeyError:
        return "root"


def _version(config: Path) -> str:
    """Return what changes when the configuration or any of our code does."""
    digest = hashlib.sha256(config.read_bytes() if config.exists() else b"")
    for path in sorted((CHECKOUT / "snf").rglob("*")) + sorted(_PAGES.glob("*")):
        if path.suffix in (".py", ".sql", ".js", ".css", ".html"):
            status = path.stat()
            digest.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()
