"""A private RabbitMQ: its own node, everything of it on 127.0.0.1."""

import socket
from pathlib import Path

from attrs import frozen

from snf.allinone.files import give, password, write
from snf.allinone.layout import Instance, Layout
from snf.allinone.process import Daemon, clean_environment, wait_for

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_USER = "rabbitmq"
_CONF = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_vhost = cyclades
default_user = cyclades
default_pass = {password}
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
disk_free_limit.absolute = 100MB
log.console = false
log.file.level = info
"""


@frozen
class RabbitMQ:
    """The broker and the port mapper that Erlang wants beside it.

    The vhost and the user are both ``cyclades``; there is no ``guest``.
    """

    layout: Layout
    instance: Instance

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return f"amqp://cyclades@127.0.0.1:{self.instance.amqp_port}/cyclades"

    @property
    def password_file(self) -> Path:
        """What the user ``cyclades`` logs in with."""
        return self.layout.secret("rabbitmq")

    @property
    def home(self) -> Path:
        """Where it keeps everything."""
        return self.layout / "rabbitmq"

    @property
    def daemon(self) -> Daemon:
        """The broker's process."""
        return self._daemon("rabbitmq", _SERVER)

    @property
    def mapper(self) -> Daemon:
        """Erlang's port mapper; without ours the broker would leave one behind."""
        return self._daemon("epmd", "/usr/bin/epmd")

    def up(self) -> bool:
        """
        Have it running; return whether it had to be started.

        :raises Failure: It does not come up.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(self.home, _USER)
        write(
            self.home / "rabbitmq.conf",
            _CONF.format(
                port=self.instance.amqp_port, password=password(self.password_file)
            ),
            0o600,
            _USER,
        )
        write(self.home / "plugins", "[].\n", 0o644, _USER)
        self.mapper.start()
        daemon = self.daemon
        started = daemon.start()
        wait_for(
            self._answers,
            "RabbitMQ",
            60,
            log=self.home / "log",
            alive=lambda: daemon.pid() is not None,
        )
        return started

    def down(self) -> bool:
        """Stop it; return whether it ran."""
        ran = self.daemon.stop(15)
        self.mapper.stop(5)
        return ran

    def _answers(self) -> bool:
        """Return whether it speaks AMQP: the port alone opens before that."""
        address = ("127.0.0.1", self.instance.amqp_port)
        try:
            with socket.create_connection(address, timeout=2) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return probe.recv(1) == b"\x01"
        except OSError:
            return False

    def _daemon(self, name: str, program: str) -> Daemon:
        return Daemon(
            name="RabbitMQ" if name == "rabbitmq" else name,
            argv=(program,),
            state_file=self.layout / "run" / f"{name}.json",
            log=self.layout / "log" / f"{name}.log",
            environment=self._environment(),
            user=_USER,
            directory=self.home,
        )

    def _environment(self) -> dict[str, str]:
        home = str(self.home)
        return clean_environment(
            HOME=home,
            ERL_EPMD_ADDRESS="127.0.0.1",
            ERL_EPMD_PORT=str(self.instance.epmd_port),
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_NODENAME=f"cyclades-{self.instance.id}@localhost",
            RABBITMQ_DIST_PORT=str(self.instance.distribution_port),
            RABBITMQ_CONFIG_FILE=f"{home}/rabbitmq",
            RABBITMQ_ENABLED_PLUGINS_FILE=f"{home}/plugins",
            RABBITMQ_MNESIA_BASE=f"{home}/mnesia",
            RABBITMQ_LOG_BASE=f"{home}/log",
            RABBITMQ_PID_FILE=f"{home}/pid",
            # The script then becomes the broker instead of waiting for it: the pid
            # that we know is the broker's.
            RUNNING_UNDER_SYSTEMD="true",
            # RABBITMQ_DIST_PORT alone would listen on every address.
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=(
                "-kernel inet_dist_use_interface {127,0,0,1}"
            ),
        )
