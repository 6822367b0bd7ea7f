"""A database that has been in use since an older version is brought up to date."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.order import Kind, Order, Sizes
from snf.core.quota import NO_LIMITS, Resource
from snf.core.resize import Phase, Resize
from snf.core.server import Observed, Status, ask_to_delete
from snf.core.server_group import Policy, ServerGroup
from snf.core.steps import begin, confirm
from snf.storage import (
    clusters,
    domains,
    lives,
    orders,
    quotas,
    retention,
    server_groups,
    servers,
    suspensions,
)
from snf.storage.database import connect
from snf.storage.migrate import check, migrate, versions
from snf.testing.postgres import fresh_dsn

# The first release's.
OLD = 4

PROJECT, USER, FLAVOR, LARGER, IMAGE, NETWORK, SUBNET = (
    UUID(int=number) for number in range(1, 8)
)
RUNS, STOPPED, BUILDS, FAILED, GONE = (UUID(int=number) for number in range(11, 16))

# (uuid, observed, status, fault, deleted, the order that is open)
SERVERS = (
    (RUNS, "up", "ACTIVE", None, None, None),
    (STOPPED, "down", "SHUTOFF", None, None, "start"),
    (BUILDS, "build", "BUILD", None, None, "create"),
    (FAILED, "down", "ERROR", '{"message": "no room", "time": 1.0}', None, None),
    (GONE, "gone", "DELETED", None, "2020-01-01", None),
)

_BUILD = (
    '{"build": {"vcpus": 2, "ram_mib": 512, "disk_gib": 4, "disk_template": "file",'
    ' "os": "noop", "hypervisor": null, "hypervisor_parameters": {},'
    ' "os_parameters": {}, "nics": []}}'
)


def fill(txn: Any) -> None:
    """Write what there is in a cloud of the old version, as that one wrote it."""
    txn.execute(
        "INSERT INTO project (id, name) VALUES (%(project)s, 'alpha');"
        "INSERT INTO user_account (id, name, password, default_project)"
        " VALUES (%(user)s, 'alice', 'x', %(project)s);"
        "INSERT INTO role_assignment VALUES (%(user)s, %(project)s, 'member');"
        "INSERT INTO domain (id, name) VALUES ('other', 'Other');"
        "INSERT INTO flavor (id, name, vcpus, ram_mib, disk_gib, disk_template)"
        " VALUES (%(flavor)s, 'small', 2, 512, 4, 'file'),"
        " (%(larger)s, 'large', 4, 1024, 8, 'file');"
        "INSERT INTO image (id, name, os) VALUES (%(image)s, 'tiny', 'noop');"
        "INSERT INTO cluster (name, url, username, password_file, last_job)"
        " VALUES ('ganeti', 'https://ganeti:5080', 'u', '/nowhere', 77);"
        "INSERT INTO network (id, name, mode, link, shared, is_default)"
        " VALUES (%(network)s, 'default', 'bridged', 'br0', true, true);"
        "INSERT INTO subnet (id, network_id, cidr, pool_start, pool_end) VALUES"
        " (%(subnet)s, %(network)s, '192.0.2.0/24', '192.0.2.10', '192.0.2.99')",
        {
            "project": PROJECT,
            "user": USER,
            "flavor": FLAVOR,
            "larger": LARGER,
            "image": IMAGE,
            "network": NETWORK,
            "subnet": SUBNET,
        },
    )
    for number, server in enumerate(SERVERS, 1):
        _fill_server(txn, number, *server)
    for resource, used in (
        ("instances", 4),
        ("cores", 8),
        ("ram_mib", 2048),
        ("disk_gib", 16),
        ("ports", 4),
        ("fixed_ips", 4),
    ):
        txn.execute(
            "INSERT INTO quota_usage VALUES (%s, %s, %s)", (PROJECT, resource, used)
        )


def _fill_server(
    txn: Any,
    number: int,
    uuid: UUID,
    observed: str,
    status: str,
    fault: str | None,
    deleted: str | None,
    order: str | None,
) -> None:
    txn.execute(
        "INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id,"
        " cluster_id, observed, status, fault, deleted, deletion_asked)"
        " VALUES (%s, %s, %s, 'web', %s, %s, 1, %s, %s, %s, %s, %s)",
        (
            uuid,
            PROJECT,
            USER,
            FLAVOR,
            IMAGE,
            observed,
            status,
            fault,
            deleted,
            bool(deleted),
        ),
    )
    request, identifier = f"req-{number}", uuid4()
    txn.execute(
        "INSERT INTO orders (id, server_id, cluster_id, kind, arguments, state, job,"
        " request_id, ended) VALUES (%s, %s, 1, %s, %s, %s, %s, %s, %s)",
        (
            identifier,
            number,
            order or "create",
            "{}" if order == "start" else _BUILD,
            "submitted" if order else "done",
            70 + number,
            request,
            None if order else "2020-01-01",
        ),
    )
    txn.execute(
        "INSERT INTO server_action (server_id, request_id, action, user_id,"
        " project_id, order_id) VALUES (%s, %s, 'create', %s, %s, %s)",
        (number, request, USER, PROJECT, identifier),
    )
    if deleted is None:
        port = uuid4()
        txn.execute(
            "INSERT INTO port (id, network_id, project_id, server_id, mac, state)"
            " VALUES (%s, %s, %s, %s, %s, 'ACTIVE')",
            (port, NETWORK, PROJECT, number, f"aa:00:00:00:00:{number:02x}"),
        )
        txn.execute(
            "INSERT INTO address VALUES (%s, %s, %s)",
            (SUBNET, f"192.0.2.{10 + number}", port),
        )


class UpgradeTests(TestCase):
    """Every version of the schema after the old one, on a database with servers."""

    timeout = 60

    def setUp(self) -> None:
        self.connection = connect(fresh_dsn(self), None)
        self.addCleanup(self.connection.close)
        self.run_in(_older)
        self.run_in(fill)
        applied = self.run_in(migrate)
        self.assertEqual([one for one in versions() if one > OLD], applied)
        self.run_in(check)

    def run_in(self, function: Any, *args: Any) -> Any:
        with self.connection, self.connection.cursor() as txn:
            return function(txn, *args)

    def lives(self) -> Any:
        return self.run_in(lives.load, [1, 2, 3, 4, 5])

    def test_servers(self) -> None:
        """They are as they were, with what was under way."""
        found = self.lives()
        self.assertEqual(
            [Status.ACTIVE, Status.SHUTOFF, Status.BUILD, Status.ERROR],
            [life.status for life in found.values()],
        )
        self.assertEqual([0, 1, 1, 0], [len(life.orders) for life in found.values()])
        [build] = found[3].orders
        self.assertIs(Kind.CREATE, build.kind)
        self.assertEqual((), build.build.tags)
        for uuid in (RUNS, STOPPED, BUILDS, FAILED):
            shown = self.run_in(servers.get, PROJECT, uuid)
            self.assertEqual(("web", 1), (shown.name, shown.cluster))
        [cluster] = self.run_in(clusters.listing)
        self.assertEqual(77, cluster.last_job)

    def test_quotas(self) -> None:
        """What was counted is what is counted now."""
        self.assertEqual([], self.run_in(quotas.recount))
        self.assertEqual(8, self.run_in(quotas.used, PROJECT)[Resource.CORES])

    def test_resized(self) -> None:
        """An old server is resized, and what it has is counted."""
        before = self.lives()
        sizes = Sizes(2, 512, 4), Sizes(4, 1024, 8)
        resize = Resize(1, Phase.GOING, FLAVOR, LARGER, *sizes, ran=True, order=uuid4())

        def ask(txn: Any) -> None:
            after = begin(before[1], resize)
            orders.add(txn, after.orders[-1], 1, "req-resize")
            lives.save(txn, before, {1: after})

        self.run_in(ask)
        life = self.lives()[1]
        self.assertEqual((Status.RESIZE, resize), (life.status, life.resize))
        wrong = {name: after for _, name, _, after in self.run_in(quotas.recount)}
        self.assertEqual(
            {Resource.CORES: 10, Resource.RAM_MIB: 2560, Resource.DISK_GIB: 20}, wrong
        )
        self.run_in(lambda txn: lives.save(txn, {1: life}, {1: confirm(life)}))
        self.assertEqual([FLAVOR], [self.lives()[1].flavor])

    def test_suspended(self) -> None:
        """Old servers belong to their owners, until an operator takes one."""
        self.assertEqual([], self.run_in(suspensions.enforce, 1))
        self.run_in(suspensions.suspend, RUNS, "req-suspend")
        [stop] = self.lives()[1].orders
        self.assertIs(Kind.STOP, stop.kind)

    def test_groups(self) -> None:
        """An old server is in no group; a group can be made."""
        group = ServerGroup(uuid4(), PROJECT, USER, "g", Policy.AFFINITY)
        self.run_in(server_groups.add, group, NO_LIMITS)
        self.assertEqual([group], self.run_in(server_groups.listing, None, 9, 0))

    def test_domains(self) -> None:
        """The domains that there were are there."""
        names = {domain.name for domain in self.run_in(domains.listing)}
        self.assertEqual({"Default", "Other"}, names)

    def test_deleted(self) -> None:
        """An old server can be deleted, and those of long ago are forgotten."""
        before = self.lives()
        order = Order(uuid4(), 4, Kind.DELETE)

        def delete(txn: Any) -> None:
            orders.add(txn, order, 1, "req-delete")
            life = ask_to_delete(before[4], order)
            lives.save(txn, before, {4: life})
            gone = lives.load(txn, [4])[4]
            lives.save(txn, {4: gone}, {4: evolve(gone, observed=Observed.GONE)})

        self.run_in(delete)
        self.assertEqual([], self.run_in(quotas.recount))
        self.run_in(
            lambda txn: txn.execute("UPDATE server_action SET started = '2020-01-01'")
        )
        self.run_in(_forget)
        left = self.run_in(_every, "SELECT uuid FROM server ORDER BY id")
        self.assertEqual([(RUNS,), (STOPPED,), (BUILDS,), (FAILED,)], left)


def _older(txn: Any) -> None:
    txn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    txn.execute(
        "CREATE TABLE schema_version"
        " (number integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
    )
    for number, sql in versions().items():
        if number <= OLD:
            txn.execute(sql)
            txn.execute("INSERT INTO schema_version (number) VALUES (%s)", (number,))


def _forget(txn: Any) -> None:
    while retention.remove_old(txn, datetime(2021, 1, 1, tzinfo=UTC)):
        pass


def _every(txn: Any, query: str) -> Any:
    txn.execute(query)
    return txn.fetchall()
