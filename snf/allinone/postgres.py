"""A private PostgreSQL: its own cluster, on a TCP port of 127.0.0.1 only."""

import shutil
import signal
from pathlib import Path

import psycopg2
from attrs import frozen

from snf.allinone.failure import Failure
from snf.allinone.files import give, password, write
from snf.allinone.layout import Instance, Layout
from snf.allinone.process import Daemon, clean_environment, run, wait_for

_CONF = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
logging_collector = off
fsync = {fsync}
"""
_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@frozen
class Postgres:
    """The server.  ``user`` is the account it runs as; None is the caller's.

    ``durable=False`` gives up safety from a power cut for speed: for tests.
    """

    layout: Layout
    instance: Instance
    programs: Path
    user: str | None = "postgres"
    durable: bool = True

    @property
    def data(self) -> Path:
        """PostgreSQL's own directory."""
        return self.layout / "postgres"

    @property
    def password_file(self) -> Path:
        """What the role ``cyclades`` logs in with."""
        return self.layout.secret("postgres")

    @property
    def dsn(self) -> str:
        """The product's connection, without its password."""
        return (
            f"host=127.0.0.1 port={self.instance.postgres_port} "
            "dbname=cyclades user=cyclades"
        )

    @property
    def superuser_dsn(self) -> str:
        """A connection that may do anything; its password is in the file it names."""
        return (
            f"host=127.0.0.1 port={self.instance.postgres_port} dbname=postgres "
            f"user=postgres passfile={self._passfile}"
        )

    @property
    def _passfile(self) -> Path:
        return self.layout.secret("postgres-superuser.pgpass")

    @property
    def daemon(self) -> Daemon:
        """The process."""
        return Daemon(
            name="PostgreSQL",
            argv=(str(self.programs / "postgres"), "-D", str(self.data)),
            state_file=self.layout / "run" / "postgres.json",
            log=self.layout / "log" / "postgres.log",
            environment=clean_environment(TZ="UTC"),
            user=self.user,
            directory=self.data,
        )

    def up(self) -> bool:
        """
        Have it running, with role and database; return whether it had to be started.

        :raises Failure: It does not come up.
        """
        if not (self.data / "PG_VERSION").exists():
            self._create()
        write(
            self.data / "postgresql.conf",
            _CONF.format(
                port=self.instance.postgres_port, fsync="on" if self.durable else "off"
            ),
            0o600,
            self.user,
        )
        write(self.data / "pg_hba.conf", _HBA, 0o600, self.user)
        daemon = self.daemon
        if daemon.pid() is None:
            # Ours is dead: a pid file left by a crash may name anybody's process.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        started = daemon.start()
        wait_for(
            self._answers,
            "PostgreSQL",
            30,
            log=daemon.log,
            alive=lambda: daemon.pid() is not None,
        )
        self._prepare()
        return started

    def down(self) -> bool:
        """Stop it fast but cleanly; return whether it ran."""
        return self.daemon.stop(15, signal.SIGINT)

    def _create(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        superuser = password(self.layout.secret("postgres-superuser"))
        write(self._passfile, f"127.0.0.1:*:*:postgres:{superuser}\n", 0o600)
        given = self.layout / "run" / "initdb.password"
        if self.user is not None:
            give(self.data, self.user)
        write(given, superuser + "\n", 0o600, self.user)
        try:
            run(
                [
                    str(self.programs / "initdb"),
                    f"--pgdata={self.data}",
                    "--username=postgres",
                    f"--pwfile={given}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--no-sync",
                ],
                self.layout.log,
                "PostgreSQL: initdb",
                user=self.user,
                environment=clean_environment(TZ="UTC"),
            )
        except Failure:
            # A half-made cluster must not look like one at the next try.
            shutil.rmtree(self.data, ignore_errors=True)
            raise
        finally:
            given.unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.superuser_dsn, connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _prepare(self) -> None:
        connection = psycopg2.connect(self.superuser_dsn, connect_timeout=5)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'cyclades'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE ROLE cyclades LOGIN")
                cursor.execute(
                    "ALTER ROLE cyclades PASSWORD %s", (password(self.password_file),)
                )
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'cyclades'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE DATABASE cyclades OWNER cyclades")
        finally:
            connection.close()


def debian_programs() -> Path:
    """
    Return the directory of the newest PostgreSQL that Debian's packages installed.

    :raises Failure: There is none of version 15 or later.
    """
    found = [
        (int(path.parts[-3]), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if path.parts[-3].isdigit()
    ]
    if not found or max(found)[0] < 15:
        raise Failure("no PostgreSQL 15 or later: apt-get install postgresql")
    return max(found)[1]
