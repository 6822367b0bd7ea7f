"""Messages of both generations, and what is none."""

from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.messages import Malformed, OpStatus, failure, op_status, parse
from snf.core.report import (
    DiagnosticReport,
    JobReport,
    JobStatus,
    Nic,
    NicReport,
    ProgressReport,
)

NOW = 1_700_000_000.0
ORDER = UUID("6f1c6d9e-0a70-4d52-9d6d-6b8f1f6f0f6e")

# The shapes of E.5: what the first generation sent, and what the later ones add.
OP_2012 = {
    "type": "ganeti-op-status",
    "instance": "snf-42",
    "operation": "OP_INSTANCE_STARTUP",
    "jobId": 1071,
    "status": "success",
    "logmsg": None,
}
OP_LATER = {
    **OP_2012,
    "event_time": [1384509200, 120034],
    "cluster": "ganeti1.example.org",
    "result": None,
    "job_fields": {},
    "tags": [],
    "instance_nics": [],
}
NET = {
    "type": "ganeti-net-status",
    "instance": "snf-42",
    "nics": [
        {
            "ip": "192.0.2.7",
            "mac": "AA:00:04:35:C4:01",
            "link": "snf_public",
            "ipv6": "2001:db8::1",
            "firewall": "protected",
        },
        {"mac": "aa:00:04:35:c4:02", "link": "prv3", "name": "x", "network": "n"},
    ],
}


def read(message: object, prefix: str = "snf") -> object:
    return parse(orjson.dumps(message), prefix, NOW)


class ParseTests(SynchronousTestCase):
    """``parse``."""

    def malformed(self, message: object) -> str:
        return self.assertRaises(Malformed, read, message).reason

    def test_op_of_2012(self) -> None:
        """No time: now.  No word on the whole job: it ends with the op."""
        self.assertEqual(
            JobReport(
                42, 1071, "OP_INSTANCE_STARTUP", JobStatus.SUCCESS, NOW, ends_job=True
            ),
            read(OP_2012),
        )

    def test_op_of_later_generations(self) -> None:
        """The time is Ganeti's; what does not concern us is passed over."""
        report = read(OP_LATER)
        self.assertEqual(1384509200.120034, report.time)

    def test_job_id_as_text(self) -> None:
        """Old Ganetis send job ids as strings."""
        self.assertEqual(1071, read({**OP_2012, "jobId": "1071"}).job)

    def test_op_that_does_not_end_its_job(self) -> None:
        """The op is done, the job is not."""
        self.assertFalse(read({**OP_LATER, "job_status": "running"}).ends_job)

    def test_order(self) -> None:
        """The order that asked for the job is named."""
        self.assertEqual(ORDER, read({**OP_LATER, "order": str(ORDER)}).order)

    def test_failed(self) -> None:
        """A failed op has Ganeti's text and code."""
        result = ["OpPrereqError", ["Instance snf-42 exists", "already_exists"]]
        report = read({**OP_LATER, "status": "error", "result": result})
        self.assertEqual(
            ("Instance snf-42 exists", "already_exists"),
            (report.error, report.error_code),
        )

    def test_failed_without_a_word(self) -> None:
        """A failed op always has a text, so that it is not taken for a success."""
        self.assertTrue(read({**OP_2012, "status": "error"}).error)

    def test_succeeded_with_a_result(self) -> None:
        """The result of an op that succeeded is no error."""
        self.assertIsNone(read({**OP_LATER, "result": ["node1"]}).error)

    def test_nics(self) -> None:
        """NICs come in their order, MACs in lower case, and without a time."""
        self.assertEqual(
            NicReport(
                42,
                (
                    Nic("aa:00:04:35:c4:01", ip="192.0.2.7", link="snf_public"),
                    Nic("aa:00:04:35:c4:02", "x", None, "prv3", "n"),
                ),
            ),
            read(NET),
        )

    def test_progress(self) -> None:
        """Both generations tell progress, and neither more than 100."""
        old = {"type": "ganeti-create-progress", "instance": "snf-42"}
        new = {"type": "image-copy-progress", "instance": "snf-42"}
        self.assertEqual(ProgressReport(42, 37), read({**old, "rprogress": 37.5}))
        self.assertEqual(
            ProgressReport(42, 100, 7.5),
            read({**new, "progress": 104.2, "event_time": [7, 500000]}),
        )

    def test_not_ours(self) -> None:
        """Other prefixes, operators' instances and other news are passed over."""
        for message in (
            {**OP_2012, "instance": "other-42"},
            {**OP_2012, "instance": "snf-42.example.org"},
            {"type": "ganeti-network-status", "network": "snf-net-1"},
            {"type": "eventd-heartbeat", "cluster": "c"},
        ):
            self.assertIsNone(read(message))

    def test_malformed(self) -> None:
        """What makes no sense is refused with the key that is wrong."""
        for change, key in (
            ({"status": "exploded"}, "status"),
            ({"job_status": "exploded"}, "job_status"),
            ({"jobId": "many"}, "jobId"),
            ({"jobId": True}, "jobId"),
            ({"jobId": 2**63}, "jobId"),
            ({"operation": None}, "operation"),
            ({"operation": "a b"}, "operation"),
            ({"instance": 42}, "instance"),
            ({"event_time": "noon"}, "event_time"),
            ({"event_time": [1e300, 0]}, "event_time"),
            ({"event_time": [-1, 0]}, "event_time"),
            ({"order": "mine"}, "order"),
            ({"type": "ganeti-tea-status"}, "type"),
        ):
            self.assertIn(key, self.malformed({**OP_LATER, **change}))
        for key in ("type", "instance", "operation", "jobId", "status"):
            without = {**OP_2012}
            del without[key]
            self.assertIn(key, self.malformed(without))
        for nics in (
            None,
            [1],
            [{}],
            [{"mac": "?"}],
            [{"mac": "aa:00:04:35:c4:01", "ip": "x"}],
        ):
            self.malformed({**NET, "nics": nics})

    def test_not_json(self) -> None:
        """Bytes that are no JSON object are refused."""
        for body in (b"", b"\xff", b"{", b"[]", b"null", b"[" * 100_000):
            self.assertRaises(Malformed, parse, body, "snf", NOW)

    def test_text_for_the_database(self) -> None:
        """No text of a report has a NUL or is very long."""
        report = read({**OP_LATER, "status": "error", "result": "a\0b" * 10_000})
        self.assertNotIn("\0", report.error)
        self.assertLessEqual(len(report.error), 4000)

    @given(st.binary())
    def test_any_bytes(self, body: bytes) -> None:
        """Whatever the bytes: a report, None or ``Malformed``."""
        try:
            parse(body, "snf", NOW)
        except Malformed as refusal:
            self.assertTrue(refusal.reason)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_VALUES = _JSON | st.sampled_from(
    ["snf-42", "success", "error", "OP_X", "1", "aa:00:04:35:c4:01", str(ORDER)]
)
_MESSAGES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "ganeti-op-status",
                "ganeti-net-status",
                "ganeti-create-progress",
                "image-copy-progress",
                "image-info",
                "image-error",
                "image-helper",
            ]
        ),
        "instance": st.just("snf-42"),
    },
    optional={
        "operation": _VALUES,
        "jobId": _VALUES,
        "status": _VALUES,
        "job_status": _VALUES,
        "event_time": _VALUES,
        "order": _VALUES,
        "result": _VALUES,
        "error_code": _VALUES,
        "rprogress": _VALUES,
        "progress": _VALUES,
        "nics": _VALUES,
        "messages": _VALUES,
        "stderr": _VALUES,
        "subtype": _VALUES | st.sampled_from(["task-start", "error"]),
        "task": _VALUES,
    },
)


class AnyMessageTests(SynchronousTestCase):
    """``parse``, with JSON that is nearly right."""

    @given(_MESSAGES | _JSON)
    def test_any_json(self, message: object) -> None:
        """Whatever the JSON: a report, None or ``Malformed``."""
        try:
            report = read(message)
        except Malformed as refusal:
            self.assertTrue(refusal.reason)
        else:
            if isinstance(report, ProgressReport):
                self.assertTrue(0 <= report.percent <= 100)
            if isinstance(report, DiagnosticReport):
                self.assertNotIn("\0", report.message)
                self.assertNotIn("\\u0000", report.details)
                self.assertIsInstance(orjson.loads(report.details), dict)

    @given(_JSON)
    def test_any_result(self, result: object) -> None:
        """Whatever a failed op left, its text and code are texts or None."""
        for part in failure(result):
            self.assertTrue(part is None or part)


class BuildTests(SynchronousTestCase):
    """``op_status``."""

    def test_read_back(self) -> None:
        """What eventd writes is read as what it meant."""
        key, body = op_status(
            OpStatus(
                "snf-42",
                "OP_INSTANCE_CREATE",
                7,
                "error",
                "error",
                (1384509200, 120034),
                "ganeti1.example.org",
                log="- INFO: no",
                order=ORDER,
                result=["OpPrereqError", ["no room", "insufficient_resources"]],
            ),
            "snf",
        )
        self.assertEqual("ganeti.snf.event.op", key)
        self.assertEqual(
            JobReport(
                42,
                7,
                "OP_INSTANCE_CREATE",
                JobStatus.ERROR,
                1384509200.120034,
                ends_job=True,
                order=ORDER,
                error="no room",
                error_code="insufficient_resources",
            ),
            parse(body, "snf", NOW),
        )
