"""What the client makes of whatever is answered, or is not."""

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st
from treq.testing import StubTreq
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from snf.core.report import JobStatus, Nic
from snf.rapi.client import Rapi, over
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import (
    RapiError,
    Refused,
    Trouble,
    Unreachable,
    WrongCredentials,
)
from snf.rapi.instances import Listing
from snf.rapi.jobs import reports
from snf.rapi.orders import Request
from snf.testing.ganeti import FakeGaneti, Fault

PASSWORD = "hunter2"
ENDPOINT = Endpoint("one", "http://ganeti.test:5080", "us", PASSWORD, Tls.OFF)
START = Request("PUT", "/2/instances/snf-1/startup", (("reason", "x"),), {})

# What a method may be given for an answer: any JSON, and JSON of nearly the right shape.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
rows = st.fixed_dictionaries(
    {"data": st.lists(st.lists(st.tuples(st.just(0), anything), max_size=12))}
)


class Canned(Resource):
    """Answers everything alike."""

    isLeaf = True

    def __init__(self, code: int, content: bytes, date: str | None = None) -> None:
        super().__init__()
        self.code, self.content, self.date = code, content, date

    def render(self, request):
        request.setResponseCode(self.code)
        if self.date is not None:
            request.setHeader("Date", self.date)
        return self.content


def calls(rapi: Rapi):
    """Return one call of each kind."""
    return [
        rapi.info(),
        rapi.submit(START),
        rapi.last_job(),
        rapi.jobs_after(3, archived=True),
        rapi.jobs([1, 2]),
        rapi.cancel(7),
        rapi.instances(),
        rapi.instance("snf-1"),
    ]


class AnswerTests(SynchronousTestCase):
    """Answers, good and bad."""

    def failure(self, code: int, content: bytes) -> RapiError:
        """Return how submitting ends when this is answered."""
        rapi = over(StubTreq(Canned(code, content)), ENDPOINT, Clock(), 30)
        deferred = Deferred.fromCoroutine(rapi.submit(START))
        failure = self.failureResultOf(deferred, RapiError).value
        self.assertNotIn(PASSWORD, str(failure) + repr(failure))
        return failure

    @given(anything | rows, st.sampled_from([200, 200, 200, 400, 404, 500]))
    def test_any_json(self, content: object, code: int) -> None:
        """No answer makes a call end in anything but a value or one of our errors."""
        rapi = over(
            StubTreq(Canned(code, json.dumps(content).encode())), ENDPOINT, Clock(), 30
        )
        for call in calls(rapi):
            outcome: list[object] = []
            Deferred.fromCoroutine(call).addBoth(outcome.append)
            [result] = outcome
            if hasattr(result, "value"):
                self.assertIsInstance(result.value, RapiError, result)

    @given(st.binary(max_size=30))
    def test_any_bytes(self, content: bytes) -> None:
        """Nor do bytes that are not JSON."""
        for code in (200, 500):
            rapi = over(StubTreq(Canned(code, content)), ENDPOINT, Clock(), 30)
            outcome: list[object] = []
            Deferred.fromCoroutine(rapi.info()).addBoth(outcome.append)
            self.assertIsInstance(outcome[0].value, Trouble)

    def test_job_ids(self) -> None:
        """A job id is a number, or a string of older versions; nothing else is."""
        for content, expected in ((b"12", 12), (b'"12"', 12)):
            rapi = over(StubTreq(Canned(200, content)), ENDPOINT, Clock(), 30)
            submitted = Deferred.fromCoroutine(rapi.submit(START))
            self.assertEqual(expected, self.successResultOf(submitted))
        for content in (b"null", b"true", b"[12]", b"1.5", b'"x"'):
            self.assertIsInstance(self.failure(200, content), Trouble)

    def test_statuses(self) -> None:
        """What is to be done about an error follows from its status."""
        for code, kind in (
            (400, Refused),
            (401, WrongCredentials),
            (403, WrongCredentials),
            (404, Refused),
            (409, Refused),
            (413, Refused),
            (415, Refused),
            (429, Unreachable),
            (500, Trouble),
            (501, Refused),
            (502, Unreachable),
            (503, Unreachable),
            (504, Unreachable),
        ):
            failure = self.failure(code, explained(code, "It&#x27;s so"))
            self.assertIs(kind, type(failure), code)
            self.assertIn("one (http://ganeti.test:5080)", str(failure))
            self.assertIn(
                f"PUT /2/instances/snf-1/startup: {code} It's so", str(failure)
            )

    def test_not_from_ganeti(self) -> None:
        """A refusal without Ganeti's explanation is somebody else's: not for good."""
        for code in (302, 400, 404):
            self.assertIs(Trouble, type(self.failure(code, b"<html>Not Found</html>")))

    def test_drained(self) -> None:
        """A queue that an operator has closed for a while is waited for."""
        failure = self.failure(500, explained(500, "Queue drained"))
        self.assertIs(Unreachable, type(failure))

    def test_unreadable_value(self) -> None:
        """A value that luxid cannot read is refused, although that is a 502."""
        text = "Failed to parse request: SubmitJob: Can't parse value for 'disks'"
        self.assertIs(Refused, type(self.failure(502, explained(502, text))))

    def test_listing_time(self) -> None:
        """A listing is as old as the moment it was asked for, by the master's clock."""
        clock = Clock()
        fake = FakeGaneti(Clock())
        fake.clock.advance(86_400.9)
        stub = StubTreq(fake.resource())

        class Slow:
            def request(self, *args, **more):
                clock.advance(2.5)
                return stub.request(*args, **more)

        endpoint = Endpoint("one", ENDPOINT.url, fake.user, fake.password, Tls.OFF)
        listing = Deferred.fromCoroutine(over(Slow(), endpoint, clock, 30).instances())
        self.assertEqual(Listing(86_397.5, ()), self.successResultOf(listing))

    def test_no_date(self) -> None:
        """A listing whose time is not known is of no use."""
        content = orjson.dumps({"data": []})
        for date in ("", "yesterday"):
            rapi = over(StubTreq(Canned(200, content, date)), ENDPOINT, Clock(), 30)
            self.failureResultOf(Deferred.fromCoroutine(rapi.instances()), Trouble)


class ParsingTests(SynchronousTestCase):
    """Jobs and instances as a simulated cluster tells of them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fake = FakeGaneti(self.clock)
        endpoint = Endpoint("one", ENDPOINT.url, "cyclades", "simulated", Tls.OFF)
        self.rapi = over(StubTreq(self.fake.resource()), endpoint, self.clock, 30)

    def create(self, name: str) -> int:
        return self.fake.operate(
            "OP_INSTANCE_CREATE",
            name,
            mode="create",
            os_type="x",
            disks=[],
            nics=[
                {"name": "eth0", "mac": f"aa:{name}", "ip": "10.0.0.1", "link": "br0"}
            ],
        )

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)

    def test_reports(self) -> None:
        """A job is reported for our servers only, at the time its op got so far."""
        times = {}
        self.create("other.example.org")
        job = self.create("snf-5")
        for _ in range(30):
            [theirs, ours] = self.successResultOf(
                Deferred.fromCoroutine(self.rapi.jobs_after(0))
            )
            self.assertEqual((), reports(theirs, "snf"))
            [report] = reports(ours, "snf")
            self.assertEqual((5, job, None), (report.server, report.job, report.order))
            self.assertEqual(report.status.final, report.ends_job)
            times[report.status] = report.time
            self.pass_time(0.1)
        self.assertEqual(
            [
                JobStatus.QUEUED,
                JobStatus.WAITING,
                JobStatus.RUNNING,
                JobStatus.SUCCESS,
            ],
            list(times),
        )
        self.assertEqual(sorted(times.values()), list(times.values()))

    def test_states(self) -> None:
        """Running or not is told from Ganeti's status; an unreachable node is neither."""
        self.create("snf-1")
        self.pass_time(3)
        self.assertIs(True, self.instance().running)
        self.assertEqual(
            (Nic("aa:snf-1", "eth0", "10.0.0.1", "br0"),), self.instance().nics
        )
        self.fake.crash("snf-1")
        self.assertEqual(("ERROR_down", False), self.state())
        self.fake.machines.answers = False
        self.assertEqual(("ERROR_nodedown", None), self.state())

    def test_long_listing(self) -> None:
        """A thousand machines are taken apart a few at a time."""
        for number in range(1, 1001):
            self.fake.machines.add(
                {
                    "instance_name": f"snf-{number}",
                    "hypervisor": None,
                    "os_type": "x",
                    "disk_template": "diskless",
                    "disks": [],
                    "nics": [],
                    "beparams": {},
                    "hvparams": {},
                    "tags": [],
                    "pnode": None,
                    "start": True,
                    "no_install": None,
                }
            )
        listing = Deferred.fromCoroutine(self.rapi.instances())
        self.assertNoResult(listing)
        self.clock.advance(0)
        self.assertEqual(1000, len(self.successResultOf(listing).instances))

    def state(self):
        instance = self.instance()
        return instance.status, instance.running

    def instance(self):
        [instance] = self.successResultOf(
            Deferred.fromCoroutine(self.rapi.instances())
        ).instances
        return instance


class SilenceTests(SynchronousTestCase):
    """Answers that do not come."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fake = FakeGaneti(self.clock)
        self.stub = StubTreq(self.fake.resource())
        endpoint = Endpoint("one", ENDPOINT.url, "cyclades", "simulated", Tls.OFF)
        self.rapi = over(self.stub, endpoint, self.clock, timeout_s=30)

    def test_hangs(self) -> None:
        """An answer is waited for so long and no longer."""
        self.fake.faults.next(Fault.HANG)
        asked = Deferred.fromCoroutine(self.rapi.info())
        self.clock.advance(29.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        failure = self.failureResultOf(asked, Unreachable)
        self.assertIn("no answer within 30 s", str(failure.value))

    def test_crowd(self) -> None:
        """When nothing is answered, those who wait for their turn do not wait longer."""
        self.fake.faults.always = Fault.HANG
        asked = [Deferred.fromCoroutine(self.rapi.info()) for _ in range(25)]
        self.clock.advance(30)
        for each in asked:
            self.failureResultOf(each, Unreachable)
        self.fake.faults.always = None
        info = self.successResultOf(Deferred.fromCoroutine(self.rapi.info()))
        self.assertEqual("ganeti.test", info.name)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_given_up(self) -> None:
        """Whoever gives a call up gets just that, not an error of the cluster."""
        self.fake.faults.next(Fault.HANG)
        asked = Deferred.fromCoroutine(self.rapi.info())
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_closed(self) -> None:
        """A connection that is closed without an answer is no answer."""
        self.fake.faults.next(Fault.REFUSE)
        asked = Deferred.fromCoroutine(self.rapi.submit(START))
        self.stub.flush()
        failure = self.failureResultOf(asked, Unreachable)
        self.assertIn("closed before the answer", str(failure.value))
        self.assertEqual({}, self.fake.queue.entries)

    def test_answer_lost(self) -> None:
        """After a lost answer the job may be there."""
        self.fake.faults.next(Fault.LOSE, method="PUT", part="/startup")
        asked = Deferred.fromCoroutine(self.rapi.submit(START))
        self.stub.flush()
        self.failureResultOf(asked, Unreachable)
        [job] = self.successResultOf(Deferred.fromCoroutine(self.rapi.jobs_after(0)))
        self.assertEqual("OP_INSTANCE_STARTUP", job.ops[0].opcode)

    def test_away(self) -> None:
        """A master daemon that is away is waited for; an internal error is not."""
        for fault, kind in ((Fault.AWAY, Unreachable), (Fault.ERROR, Trouble)):
            self.fake.faults.next(fault)
            failure = self.failureResultOf(
                Deferred.fromCoroutine(self.rapi.submit(START))
            )
            self.assertIs(kind, type(failure.value))


def explained(code: int, message: str) -> bytes:
    return orjson.dumps({"code": code, "message": message, "explain": "?"})
