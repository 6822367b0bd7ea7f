"""The command behind ``./cloud``."""

import os
import sys
from pathlib import Path

import click

from snf.allinone import packages
from snf.allinone.failure import Failure
from snf.allinone.layout import Layout, choose, octet_is_free, port_is_free
from snf.allinone.postgres import Postgres, debian_programs
from snf.allinone.progress import Progress
from snf.allinone.rabbitmq import RabbitMQ


@click.group()
def cloud() -> None:
    """A whole cloud on this one machine."""


@cloud.command()
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.argument("action", type=click.Choice(["up", "down"]))
def services(state: Path, action: str) -> None:
    """Only PostgreSQL and RabbitMQ, for the tests that want them."""
    progress = Progress()
    layout = Layout(state.resolve())
    layout.create()
    instance = layout.load() or choose(layout.state, None, port_is_free, octet_is_free)
    layout.save(instance)
    packages.install(packages.SERVICES, layout.log, progress)
    postgres = Postgres(layout, instance, debian_programs(), durable=False)
    rabbitmq = RabbitMQ(layout, instance)
    if action == "down":
        postgres.down(), rabbitmq.down()
        return
    postgres.up()
    progress.say("PostgreSQL", "ready")
    rabbitmq.up()
    progress.say("RabbitMQ", "ready")
    print(f"export CYCLADES_TEST_POSTGRES='{postgres.superuser_dsn}'")
    print(f"export CYCLADES_TEST_AMQP='{rabbitmq.url}'")
    print(f"export CYCLADES_TEST_AMQP_PASSWORD_FILE='{rabbitmq.password_file}'")


def main() -> None:
    """Run it; a failure is one line."""
    try:
        cloud()
    except Failure as failure:
        print(f"cloud: {failure}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    os.umask(0o022)
    main()
