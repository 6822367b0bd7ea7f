"""From a job file's rename to the commit: eventd, RabbitMQ, dispatcher, PostgreSQL.

    sudo .venv/bin/python -m bench.events [--events N]

A private PostgreSQL and RabbitMQ, ``twistd snf-eventd`` and ``twistd cyclades`` with
only the dispatcher are started for it, and all is taken down again.  Job files are
written as Ganeti writes them, one job a server, each a build that has succeeded.  The
time of each commit is PostgreSQL's own (``track_commit_timestamp``).

Beside it in the same run: the same dispatcher made to take one message a transaction,
as the dispatcher of old did, and the same messages through RabbitMQ alone.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from attrs import frozen
from psycopg2.extras import execute_values
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from bench.results import keep, percentile
from snf.allinone import daemons, settings
from snf.allinone.cloud import Cloud
from snf.allinone.files import write
from snf.allinone.layout import Layout, choose, octet_is_free, port_is_free
from snf.allinone.progress import Progress
from snf.bus.connect import open_bus
from snf.bus.interface import ACK
from snf.bus.topology import OP, queue_names, routing_key
from snf.config import Broker
from snf.core.naming import instance_name, order_reason
from snf.storage.migrate import migrate
from snf.testing import world
from snf.testing.jobs import QueueDirectory, op

_PREFIX = "snf"


@frozen
class Bench:
    """The parts, as they run."""

    cloud: Cloud
    queue: QueueDirectory

    def connect(self) -> Any:
        """Return a connection to the database."""
        password = self.cloud.postgres.password_file.read_text().strip()
        return psycopg2.connect(self.cloud.postgres.dsn, password=password)


@contextmanager
def parts(prefetch: int, count: int) -> Iterator[Bench]:
    """Start everything over a database of so many servers that are being built."""
    state = Path(tempfile.mkdtemp(prefix="bench-events-", dir="/var/tmp"))
    state.chmod(0o755)
    layout = Layout(state)
    layout.create()
    instance = choose(state, None, port_is_free, octet_is_free)
    layout.save(instance)
    cloud = Cloud(layout, instance, Progress())
    bench = Bench(cloud, QueueDirectory(state / "queue"))
    try:
        _services(cloud)
        _fill(bench, count)
        _daemons(bench, prefetch)
        yield bench
    finally:
        daemons.eventd(layout).stop()
        daemons.cyclades(layout).stop()
        cloud.rabbitmq.down()
        cloud.postgres.down()
        shutil.rmtree(state)


def _services(cloud: Cloud) -> None:
    cloud.postgres.up()
    connection = psycopg2.connect(cloud.postgres.superuser_dsn)
    connection.autocommit = True
    connection.cursor().execute("ALTER SYSTEM SET track_commit_timestamp = on")
    connection.close()
    cloud.postgres.down()
    cloud.postgres.up()
    cloud.rabbitmq.up()


def _fill(bench: Bench, count: int) -> None:
    connection = bench.connect()
    with connection, connection.cursor() as txn:
        migrate(txn)
        world.make(txn)
        txn.execute("SELECT id FROM cluster")
        [(cluster,)] = txn.fetchall()
        execute_values(
            txn,
            "INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id,"
            " cluster_id, task) VALUES %s",
            [
                (
                    uuid4(),
                    world.PROJECT_A.id,
                    world.ALICE.id,
                    "bench",
                    world.SMALL.id,
                    world.TINY.id,
                    cluster,
                    "spawning",
                )
                for _ in range(count)
            ],
        )
        txn.execute(
            "INSERT INTO orders (id, server_id, cluster_id, kind, state, job)"
            " SELECT lpad(to_hex(id), 32, '0')::uuid, id, cluster_id, 'create',"
            " 'submitted', id FROM server"
        )
    with connection.cursor() as txn:
        connection.autocommit = True
        txn.execute("ANALYZE")
    connection.close()


def _daemons(bench: Bench, prefetch: int) -> None:
    cloud, layout = bench.cloud, bench.cloud.layout
    daemons.configure_cyclades(layout, cloud.instance, cloud.postgres, cloud.rabbitmq)
    file = daemons.configuration(layout)
    text = file.read_text("utf-8")
    text = text.replace("[broker]", f"[broker]\nprefetch = {prefetch}", 1)
    before, _, after = text.partition("run = [")
    write(file, f'{before}run = ["dispatcher"]{after.partition("]")[2]}')
    data = layout.state / "ganeti-data"
    data.mkdir()
    (data / "ssconf_master_node").write_text("node1.bench\n")
    (data / "ssconf_cluster_name").write_text("bench\n")
    (layout.state / "spool").mkdir()
    (layout.state / "eventd").mkdir()
    text = settings.eventd(
        broker=cloud.rabbitmq.url,
        broker_password=cloud.rabbitmq.password_file,
        ganeti_data=data,
        spool=layout.state / "spool",
        mark=layout.state / "eventd" / "mark",
        node="node1.bench",
    )
    (data / "queue").symlink_to(bench.queue.path)
    write(layout / "eventd.toml", text)
    daemons.cyclades(layout).start()
    daemons.eventd(layout).start()
    time.sleep(3)
    for daemon in (daemons.cyclades(layout), daemons.eventd(layout)):
        if daemon.pid() is None:
            raise SystemExit(daemon.log.read_text("utf-8", "replace"))


def told(bench: Bench, numbers: range, rate: float | None) -> list[float]:
    """
    Write a job a server and return the seconds from each rename to its commit.

    :param rate: Files a second; None for as fast as they can be written.
    """
    renamed = {}
    start = time.time()
    for place, number in enumerate(numbers):
        if rate is not None:
            time.sleep(max(0.0, start + place / rate - time.time()))
        bench.queue.write(number, _built(number))
        renamed[number] = time.time()
    committed = _commits(bench, numbers)
    return [committed[number] - renamed[number] for number in numbers]


def _built(number: int) -> dict[str, Any]:
    now = time.time()
    stamp = [int(now), int(now % 1 * 1e6)]
    return op(
        instance_name(_PREFIX, number),
        "OP_INSTANCE_CREATE",
        "success",
        end_timestamp=stamp,
        reason=[["gnt:user", order_reason(UUID(int=number)), 0]],
    )


def _commits(bench: Bench, numbers: range) -> dict[int, float]:
    """Return when each server became ACTIVE, once all have."""
    connection = bench.connect()
    connection.autocommit = True
    end = time.time() + 120
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT s.id, extract(epoch FROM pg_xact_commit_timestamp(s.xmin))"
                " FROM server s JOIN orders o ON o.server_id = s.id"
                " WHERE s.id BETWEEN %s AND %s AND s.status = 'ACTIVE'"
                " AND o.state = 'done'",
                (numbers[0], numbers[-1]),
            )
            rows = cursor.fetchall()
            if len(rows) == len(numbers):
                connection.close()
                return {number: float(moment) for number, moment in rows}
            if time.time() > end:
                raise SystemExit(f"lost: {len(numbers) - len(rows)} of {len(numbers)}")
            time.sleep(0.25)


@frozen
class Figures:
    """What one run gave.

    ``delays`` are those at 200 events a second, in seconds.  ``wrong`` is how many
    servers, orders or messages did not end as they should have.
    """

    rate: float
    delays: list[float]
    wrong: int


def measure(prefetch: int, count: int, slow: int) -> Figures:
    """Measure at full speed, and before that at 200 events a second."""
    with parts(prefetch, count + slow) as bench:
        delays = told(bench, range(1, slow + 1), 200.0) if slow else []
        before = time.time()
        numbers = range(slow + 1, slow + count + 1)
        told(bench, numbers, None)
        last = max(_commits(bench, numbers).values())
        return Figures(count / (last - before), delays, _wrong(bench, count + slow))


def _wrong(bench: Bench, count: int) -> int:
    """Return how many servers, orders and messages are not as they should be."""
    connection = bench.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM server s JOIN orders o ON o.server_id = s.id"
            " WHERE s.status = 'ACTIVE' AND s.task IS NULL AND s.progress = 100"
            " AND extract(epoch FROM s.launched) = s.clock_time"
            " AND o.state = 'done' AND o.error IS NULL AND o.job = s.id"
        )
        [(right,)] = cursor.fetchall()
    connection.close()
    log = (bench.cloud.layout / "log" / "cyclades.log").read_text("utf-8", "replace")
    return count - right + log.count("malformed message") + log.count(" failed")


def broker_alone(count: int) -> float:
    """Return the messages a second through RabbitMQ with nothing behind it."""
    figures: list[float] = []
    with parts(200, 1) as bench:
        broker = Broker(
            url=bench.cloud.rabbitmq.url,
            password_file=bench.cloud.rabbitmq.password_file,
            prefetch=200,
        )
        try:
            react(lambda _: Deferred.fromCoroutine(_through(broker, count, figures)))
        except SystemExit as ended:
            if ended.code:
                raise
    return figures[0]


async def _through(broker: Broker, count: int, figures: list[float]) -> None:
    prefix = "limit"
    bus = open_bus(broker, reactor, prefix)
    done: Deferred[None] = Deferred()
    seen = 0

    async def receive(batch: Any) -> Any:
        nonlocal seen
        seen += len(batch)
        if seen >= count and not done.called:
            done.callback(None)
        return [ACK] * len(batch)

    publisher, consumer = bus.publisher(), bus.consumer(queue_names(prefix), receive)
    publisher.startService()
    consumer.startService()
    body = b"x" * 325
    await publisher.publish(routing_key(prefix, OP), body)
    before = time.perf_counter()
    count += 1
    await gatherResults(
        [publisher.publish(routing_key(prefix, OP), body) for _ in range(count - 1)]
    )
    await done
    figures.append((count - 1) / (time.perf_counter() - before))
    await gatherResults(
        [Deferred.fromCoroutine(_stop(one)) for one in (publisher, consumer)]
    )


async def _stop(service: Any) -> None:
    stopped = service.stopService()
    if stopped is not None:
        await stopped


def main() -> None:
    """Measure, and the peers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=5000)
    options = parser.parse_args()
    ours = measure(prefetch=200, count=options.events, slow=2000)
    single = measure(prefetch=1, count=max(100, options.events // 5), slow=0)
    keep(
        "events: from a job file's rename to the commit",
        {
            "job files at full speed": options.events,
            "events/s": round(ours.rate),
            "target, events/s": 1000,
            "one message a transaction (peer), events/s": round(single.rate),
            "RabbitMQ alone (limit), messages/s": round(broker_alone(20_000)),
            "delay at 200/s, p50 ms": round(percentile(ours.delays, 50) * 1000, 1),
            "delay at 200/s, p99 ms": round(percentile(ours.delays, 99) * 1000, 1),
            "target, p99 ms": 100,
            "lost or doubled in effect": ours.wrong,
        },
    )


if __name__ == "__main__":
    main()
