"""``/servers/{id}/os-instance-actions``."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from attrs import evolve

from snf.core.order import State
from snf.core.server import Life, Observed
from snf.storage import lives
from snf.testing.world import ADMIN, ALICE, BOB, CLUSTER, PROJECT_A, READER
from tests.api.case import ROOT, SERVERS, ApiTestCase, Reply


class HistoryTestCase(ApiTestCase):
    """A test with a server."""

    page_size = 3

    def setUp(self) -> None:
        super().setUp()
        reply = self.create()
        self.mine = reply.json["server"]["id"]
        self.request = reply.header("x-openstack-request-id") or ""

    def ask(self, path: str = "", by=ALICE, version: str = "2.96") -> Reply:
        """Ask for what was done to it."""
        url = f"{SERVERS}/{self.mine}/os-instance-actions{path}"
        return self.call("GET", url, by=by, version=version)

    def listed(self, query: str = "", version: str = "2.96") -> list[dict[str, Any]]:
        """Return what is listed."""
        reply = self.ask(query, version=version)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["instanceActions"]

    def event(self, request: str = "", by=ALICE, version="2.96") -> dict[str, Any]:
        """Return the one event of an action."""
        reply = self.ask(f"/{request or self.request}", by, version)
        self.assertEqual(200, reply.code, reply.text)
        [event] = reply.json["instanceAction"]["events"]
        return event

    def end(self, error: str | None) -> None:
        """End the open orders, as news from Ganeti does."""

        def change(txn: Any) -> None:
            txn.execute("SELECT id FROM server")
            before = lives.load(txn, [number for (number,) in txn.fetchall()])
            after = {
                number: evolve(
                    life,
                    observed=Observed.UP,
                    orders=tuple(order.ended(error) for order in life.orders),
                )
                for number, life in before.items()
            }
            lives.save(txn, before, after)

        self.run_in(change)


class ListTests(HistoryTestCase):
    """The list."""

    def test_created(self) -> None:
        """The first thing is the creation, by whom and in which request."""
        [action] = self.listed(version="2.1")
        self.assertRegex(action.pop("start_time"), r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}$")
        self.assertEqual(
            {
                "action": "create",
                "instance_uuid": self.mine,
                "request_id": self.request,
                "user_id": str(ALICE.id),
                "project_id": str(PROJECT_A.id),
                "message": None,
            },
            action,
        )
        self.assertIn("updated_at", self.listed(version="2.58")[0])

    def test_all_kinds(self) -> None:
        """The newest is first; whoever did it is named."""
        self.live(self.mine, Life(Observed.UP))
        self.act(self.mine, {"lock": None})
        self.act(self.mine, {"unlock": None})
        self.act(self.mine, {"reboot": {"type": "HARD"}}, ADMIN)
        self.call("DELETE", f"{SERVERS}/{self.mine}", by=ALICE)
        found = []
        path = f"{SERVERS}/{self.mine}/os-instance-actions"
        while path:
            reply = self.call("GET", path, by=ALICE, version="2.58").json
            found += reply["instanceActions"]
            [link] = reply.get("links", [{"href": ROOT}])
            path = link["href"].removeprefix(ROOT)
        self.assertEqual(
            ["delete", "reboot", "unlock", "lock", "create"],
            [action["action"] for action in found],
        )
        self.assertEqual(str(ADMIN.id), found[1]["user_id"])
        self.assertEqual(5, len({action["request_id"] for action in found}))

    def test_refused_is_nothing(self) -> None:
        """What was refused was not done."""
        self.act(self.mine, {"os-start": None})
        self.assertEqual(1, len(self.listed()))

    def test_several_at_once(self) -> None:
        """One request may do the same to several servers."""
        reply = self.create(max_count=2)
        request = reply.header("x-openstack-request-id")
        url = f"{SERVERS}/{reply.json['server']['id']}/os-instance-actions/{request}"
        self.assertEqual(200, self.call("GET", url, by=ALICE).code)

    def test_times(self) -> None:
        """From 2.58 on by when it changed last; from 2.66 on also before a time."""
        self.assertEqual(1, len(self.listed("?changes-since=2020-01-01")))
        self.assertEqual(0, len(self.listed("?changes-since=2999-01-01")))
        self.assertEqual(0, len(self.listed("?changes-before=2020-01-01")))
        for query, version in (
            ("changes-before=2020-01-01", "2.65"),
            ("changes-since=2021-01-01&changes-before=2020-01-01", "2.66"),
            ("changes-since=x", "2.58"),
            ("limit=x", "2.58"),
            ("marker=x", "2.58"),
            ("nonsense=x", "2.58"),
        ):
            self.assertEqual(400, self.ask(f"?{query}", version=version).code, query)
        self.assertEqual(200, self.ask("?nonsense=x", version="2.57").code)

    def test_deleted(self) -> None:
        """From 2.21 on what was done to a deleted server is seen."""
        self.call("DELETE", f"{SERVERS}/{self.mine}", by=ALICE)
        self.assertEqual(404, self.ask(version="2.20").code)
        self.assertEqual(404, self.ask(f"/{self.request}", version="2.20").code)
        self.assertEqual(["delete", "create"], [a["action"] for a in self.listed()])
        self.assertEqual(404, self.ask(by=BOB).code)

    def test_others(self) -> None:
        """Others' servers are not there; a reader sees."""
        self.assertEqual(404, self.ask(by=BOB).code)
        self.assertEqual(404, self.ask(f"/{self.request}", BOB).code)
        self.assertEqual(200, self.ask(by=READER).code)
        self.assertEqual(200, self.ask(by=ADMIN).code)


class EventTests(HistoryTestCase):
    """How an action ended."""

    def test_under_way(self) -> None:
        """Until it has ended there is neither a time nor a result."""
        event = self.event()
        self.assertEqual("compute__do_build_and_run_instance", event["event"])
        self.assertIsNotNone(event["start_time"])
        self.assertEqual((None, None), (event["finish_time"], event["result"]))

    def test_succeeded(self) -> None:
        """When its order is done it has succeeded."""
        self.end(None)
        event = self.event()
        self.assertEqual("Success", event["result"])
        self.assertIsNotNone(event["finish_time"])
        self.assertIsNone(event["details"])
        reply = self.act(self.mine, {"os-stop": None})
        request = reply.header("x-openstack-request-id") or ""
        self.assertEqual("compute_stop_instance", self.event(request)["event"])

    def test_failed(self) -> None:
        """When its order has failed it says so, and from 2.84 on why."""
        self.end("No node has enough memory")
        event = self.event()
        self.assertEqual("Error", event["result"])
        self.assertEqual("No node has enough memory", event["details"])
        self.assertNotIn("details", self.event(version="2.83"))
        self.assertEqual(["Error"], [action["message"] for action in self.listed()])

    def test_who_sees(self) -> None:
        """Below 2.51 only admins see events; they see the host and a traceback."""
        for version, by, seen in (
            ("2.50", ALICE, None),
            ("2.50", ADMIN, {"traceback"}),
            ("2.51", ALICE, set()),
            ("2.62", ALICE, {"hostId"}),
            ("2.62", ADMIN, {"traceback", "hostId", "host"}),
            ("2.84", ALICE, {"hostId", "details"}),
        ):
            reply = self.ask(f"/{self.request}", by, version)
            events = reply.json["instanceAction"].get("events")
            if seen is None:
                self.assertIsNone(events)
                continue
            usual = {"event", "start_time", "finish_time", "result"}
            self.assertEqual(usual | seen, set(events[0]), version)
        self.assertEqual(CLUSTER.name, self.event(by=ADMIN)["host"])

    def test_vanished(self) -> None:
        """A deletion whose server is gone has succeeded, however it went."""
        self.live(self.mine, Life(Observed.UP))
        reply = self.call("DELETE", f"{SERVERS}/{self.mine}", by=ALICE)
        request = reply.header("x-openstack-request-id") or ""

        def vanish(txn: Any) -> None:
            txn.execute("SELECT id FROM server")
            before = lives.load(txn, [number for (number,) in txn.fetchall()])
            after = {
                number: evolve(life, observed=Observed.GONE)
                for number, life in before.items()
            }
            self.assertIs(State.NEW, next(iter(before.values())).orders[0].state)
            lives.save(txn, before, after)

        self.run_in(vanish)
        self.assertEqual("Success", self.event(request)["result"])

    def test_missing(self) -> None:
        """A request that did nothing to the server is a 404."""
        for text in (f"req-{uuid4()}", "x", "\0", "Ω", "'"):
            path = "/" + quote(text, safe="")
            self.assertEqual(404, self.ask(path).code, text)
        elsewhere = self.server()
        url = f"{SERVERS}/{elsewhere}/os-instance-actions/{self.request}"
        self.assertEqual(404, self.call("GET", url, by=ALICE).code)
