"""``snf-manage server``."""

import json
from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.core.server import Fault, Life, Observed
from snf.storage import clusters, lives, servers
from snf.storage.database import connect
from snf.testing import world
from tests.manage.case import ManageTestCase


class ServerTests(ManageTestCase):
    """Looking at users' servers, and taking them from their owners."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(0, self.manage("migrate").code)
        self.first, self.second = self.run_in(_make)

    def run_in(self, function: Any, *arguments: Any) -> Any:
        """Return what a storage function returns."""
        connection = connect(self.dsn, self.environment.get("PGPASSWORD"))
        try:
            with connection, connection.cursor() as txn:
                return function(txn, *arguments)
        finally:
            connection.close()

    def listed(self, *narrowing: str) -> list[dict[str, Any]]:
        """Return what the list holds."""
        said = self.manage("server", "list", "--json", *narrowing)
        self.assertEqual(0, said.code, said.err)
        return json.loads(said.out)

    def shown(self, named: str) -> dict[str, Any]:
        """Return what is shown of one."""
        said = self.manage("server", "show", named, "--json")
        self.assertEqual(0, said.code, said.err)
        [one] = json.loads(said.out)
        return one

    def test_list(self) -> None:
        """The newest is first, of whichever project; each option narrows it."""
        for narrowing, found in (
            ((), ["db", "web"]),
            (("--limit", "1"), ["db"]),
            (("--project", "alpha"), ["web"]),
            (("--project", "beta", "--status", "error"), ["db"]),
            (("--status", "ACTIVE"), ["web"]),
            (("--cluster", "ganeti2.test"), ["db"]),
            (("--cluster", "nowhere"), []),
            (("--suspended",), []),
        ):
            names = [one["name"] for one in self.listed(*narrowing)]
            self.assertEqual(found, names, narrowing)

    def test_show(self) -> None:
        """By its id or its name at Ganeti: whose it is, where, and what is wrong."""
        by_id = self.shown(str(self.second))
        [number] = self.run_in(_number, self.second)
        self.assertEqual(by_id, self.shown(f"snf-{number}"))
        del by_id["created"]
        self.assertEqual(
            {
                "id": str(self.second),
                "name": "db",
                "project": "beta",
                "user": "bob",
                "cluster": "ganeti2.test",
                "instance": number,
                "status": "ERROR",
                "task": None,
                "suspended": False,
                "fault": "no memory",
            },
            by_id,
        )
        said = self.manage("server", "show", str(self.second))
        self.assertIn("no memory", said.out)

    def test_suspend(self) -> None:
        """It is stopped and kept from its owner until that is ended."""
        self.assertEqual(0, self.manage("server", "suspend", str(self.first)).code)
        [one] = self.listed("--suspended")
        self.assertEqual(("web", "powering-off"), (one["name"], one["task"]))
        self.assertEqual(0, self.manage("server", "unsuspend", str(self.first)).code)
        self.assertEqual([], self.listed("--suspended"))
        found = self.run_in(_noted, self.first)
        self.assertEqual(["server suspend", "server unsuspend"], found)

    def test_missing(self) -> None:
        """What is not there is told so in one line, and nothing is changed."""
        for verb in ("show", "suspend", "unsuspend"):
            for named in (str(uuid4()), "snf-999", "snf-", "snf-x", "web", "x-1"):
                said = self.manage("server", verb, named)
                self.assertEqual((1, ""), (said.code, said.out), named)
                self.assertEqual(1, said.err.count("\n"), said.err)
        self.assertEqual([], self.listed("--suspended"))


def _make(txn: Any) -> list[Any]:
    world.make(txn)
    clusters.add(txn, evolve(world.CLUSTER, name="ganeti2.test"))
    places = {one.name: one.id for one in clusters.listing(txn)}
    made = []
    for name, user, cluster, life in (
        ("web", world.ALICE, world.CLUSTER.name, Life(Observed.UP)),
        (
            "db",
            world.BOB,
            "ganeti2.test",
            Life(Observed.DOWN, fault=Fault("no memory", 1.0)),
        ),
    ):
        new = servers.NewServer(
            uuid=uuid4(),
            project=user.default_project or uuid4(),
            user=user.id,
            name=name,
            flavor=world.SMALL.id,
            image=world.TINY.id,
            cluster=places[cluster],
            metadata={},
        )
        number = servers.add(txn, new)
        lives.save(txn, lives.load(txn, [number]), {number: life})
        made.append(new.uuid)
    return made


def _number(txn: Any, uuid: Any) -> Any:
    txn.execute("SELECT id FROM server WHERE uuid = %s", (uuid,))
    return txn.fetchone()


def _noted(txn: Any, uuid: Any) -> list[str]:
    txn.execute("SELECT action FROM activity WHERE object = %s ORDER BY id", (uuid,))
    return [action for (action,) in txn.fetchall()]
