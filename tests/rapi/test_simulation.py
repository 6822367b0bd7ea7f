"""What the simulated cluster does beside answering: pace, job files, faults."""

from collections import defaultdict

import orjson
from hypothesis import given
from hypothesis import strategies as st
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.messages import parse
from snf.eventd.job import messages
from snf.rapi.client import over
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Refused, Trouble, Unreachable
from snf.rapi.jobs import reports
from snf.rapi.orders import Request
from snf.testing.ganeti import Durations, FakeGaneti

BUILD = {"mode": "create", "os_type": "x", "disks": [], "nics": []}
OPERATIONS = (
    "OP_INSTANCE_CREATE",
    "OP_INSTANCE_STARTUP",
    "OP_INSTANCE_SHUTDOWN",
    "OP_INSTANCE_REBOOT",
    "OP_INSTANCE_REMOVE",
)
_MORE = {"OP_INSTANCE_CREATE": BUILD, "OP_INSTANCE_REBOOT": {"reboot_type": "hard"}}


class SimulationTests(SynchronousTestCase):
    """``FakeGaneti``."""

    def setUp(self) -> None:
        self.start()

    def start(self, **more: object) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.files: list[dict] = []
        self.fake = FakeGaneti(self.clock, on_change=self.files.append, **more)
        endpoint = Endpoint("fake", "http://x", "cyclades", "simulated", Tls.OFF)
        stub = StubTreq(self.fake.resource())
        self.rapi = over(stub, endpoint, self.clock, timeout_s=30)

    def operate(self, op_id: str, server: int = 1, **more: object) -> int:
        given = {**_MORE.get(op_id, {}), **more}
        return self.fake.operate(op_id, f"snf-{server}", **given)

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def now(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def statuses(self, job: int) -> list[str]:
        return [file["ops"][0]["status"] for file in self.files if file["id"] == job]

    def test_job_files(self) -> None:
        """A job's file changes at each step and with each line of its log."""
        job = self.operate("OP_INSTANCE_CREATE")
        self.pass_time(3)
        self.assertEqual(
            ["queued", "waiting", "running", "running", "running", "success"],
            self.statuses(job),
        )
        self.assertEqual(
            ["* creating instance disks...", "* starting instance..."],
            [text for _, _, _, text in self.files[-1]["ops"][0]["log"]],
        )

    def test_job_files_are_snapshots(self) -> None:
        """What a file held is not changed by what comes later."""
        kept: list[bytes] = []
        self.fake.on_change = lambda file: kept.append(orjson.dumps(file))
        seen = self.fake.queue.changed
        files: list[dict] = []
        self.fake.queue.changed = lambda entry: (
            files.append(entry.file()),
            seen(entry),
        )
        self.operate("OP_INSTANCE_CREATE")
        self.pass_time(3)
        self.assertEqual(kept, [orjson.dumps(file) for file in files])

    @given(
        st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 2)), max_size=6)
    )
    def test_one_truth(self, wanted: list[tuple[str, int]]) -> None:
        """What eventd makes of job files is what a query tells of the same jobs."""
        self.start()
        for op_id, server in wanted:
            self.operate(op_id, server)
            self.pass_time(0.3)
        self.pass_time(20)
        told = [
            parse(body, "snf", now=0)
            for file in self.files
            for _, body in messages(file["id"], orjson.dumps(file), "c", "snf")
        ]
        last = {report.job: report for report in told}
        asked = [
            report
            for job in self.now(self.rapi.jobs_after(0))
            for report in reports(job, "snf")
        ]
        self.assertEqual([*last.values()], asked)

    @given(
        st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 3)), max_size=9)
    )
    def test_locks(self, wanted: list[tuple[str, int]]) -> None:
        """At no time do two jobs run on one instance, and every job ends."""
        self.start()
        for op_id, server in wanted:
            self.operate(op_id, server)
        running: dict[str, set[int]] = defaultdict(set)
        self.pass_time(20)
        for file in self.files:
            [op] = file["ops"]
            held = running[op["input"]["instance_name"]]
            held.discard(file["id"])
            if op["status"] == "running":
                held.add(file["id"])
            self.assertLessEqual(len(held), 1)
        entries = self.fake.queue.entries.values()
        self.assertLessEqual({entry.status for entry in entries}, {"success", "error"})
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_side_by_side(self) -> None:
        """Jobs of different instances run at once, up to the cluster's limit."""
        self.start(durations=Durations(pick=0, lock=0, create=10))
        for server in range(1, 31):
            self.operate("OP_INSTANCE_CREATE", server)
        self.pass_time(10.1)
        self.assertEqual(20, len(self.fake.machines.by_name))
        self.pass_time(10.1)
        self.assertEqual(30, len(self.fake.machines.by_name))

    def test_seen_while_it_is_made(self) -> None:
        """A machine that is being made is listed before it runs, as really happens."""
        self.operate("OP_INSTANCE_CREATE")
        seen = []
        for _ in range(60):
            instance = self.now(self.rapi.instance("snf-1"))
            seen.append(instance and instance.status)
            self.pass_time(0.05)
        self.assertEqual([None, "ERROR_down", "running"], list(dict.fromkeys(seen)))

    def test_spoiled(self) -> None:
        """An OS script that fails leaves a machine that does not run."""
        self.fake.spoil("OP_INSTANCE_CREATE", "OS create script failed")
        job = self.operate("OP_INSTANCE_CREATE")
        self.pass_time(3)
        [ended] = self.now(self.rapi.jobs([job]))
        self.assertEqual("OS create script failed", ended.ops[0].error)
        self.assertIs(False, self.now(self.rapi.instance("snf-1")).running)

    def test_no_such_os(self) -> None:
        """An OS that is not installed is found out when the job runs."""
        self.start(oses=frozenset({"cyclades+default"}))
        job = self.operate("OP_INSTANCE_CREATE")
        self.pass_time(3)
        [ended] = self.now(self.rapi.jobs([job]))
        self.assertIn("Directory for OS x not found", ended.ops[0].error)

    def test_drained(self) -> None:
        """A drained queue takes nothing, for as long as it is drained."""
        start = Request("PUT", "/2/instances/snf-1/startup")
        self.fake.drained = True
        asked = Deferred.fromCoroutine(self.rapi.submit(start))
        self.failureResultOf(asked, Unreachable)
        self.fake.drained = False
        self.assertEqual(1, self.now(self.rapi.submit(start)))

    def test_foreign_letters(self) -> None:
        """A reason that is not ASCII burns a job id, as it does in reality."""
        start = Request("PUT", "/2/instances/snf-1/startup", (("reason", "ä"),))
        asked = Deferred.fromCoroutine(self.rapi.submit(start))
        self.failureResultOf(asked, Trouble)
        self.assertEqual(0, self.now(self.rapi.last_job()))
        start = Request("PUT", "/2/instances/snf-1/startup", (("reason", "a"),))
        self.assertEqual(2, self.now(self.rapi.submit(start)))

    def test_filters(self) -> None:
        """Queries with filters that the client does not use work as well."""
        self.operate("OP_INSTANCE_CREATE")
        self.operate("OP_INSTANCE_CREATE", server=2)
        for wanted, expected in (
            (None, [1, 2]),
            (["&", [">=", "id", 1], ["!", ["=", "id", 1]]], [2]),
            (["?", "archived"], []),
            (["=[]", "summary", "INSTANCE_CREATE(snf-2)"], [2]),
            (["=", "status", "queued"], [1, 2]),
        ):
            answer = self.now(self.ask({"fields": ["id"], "qfilter": wanted}))
            self.assertEqual(expected, [row[0][1] for row in answer.content["data"]])
        asked = Deferred.fromCoroutine(self.ask({"fields": ["id"], "qfilter": ["odd"]}))
        self.failureResultOf(asked, Refused)

    def ask(self, body: dict):
        return self.rapi.exchange.ask(Request("PUT", "/2/query/job", body=body))
