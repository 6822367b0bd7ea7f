"""From a job file to messages."""

from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.messages import parse
from snf.core.report import JobReport
from snf.eventd.job import Unreadable, job_status, messages
from snf.testing.jobs import job, op

ORDER = UUID("6f1c6d9e-0a70-4d52-9d6d-6b8f1f6f0f6e")


def told(*ops) -> list[dict]:
    content = orjson.dumps(job(7, *ops))
    return [orjson.loads(body) for _, body in messages(7, content, "c.test", "snf")]


class MessagesTests(SynchronousTestCase):
    """``messages``."""

    def test_every_op(self) -> None:
        """Each op of a job has a message, with the status of the whole job."""
        first, second = told(
            op("snf-1", "OP_INSTANCE_SHUTDOWN", "success"),
            op("snf-1", "OP_INSTANCE_STARTUP", "running"),
        )
        self.assertEqual(
            ["OP_INSTANCE_SHUTDOWN", "success", "running"],
            [first["operation"], first["status"], first["job_status"]],
        )
        self.assertEqual(
            ["OP_INSTANCE_STARTUP", "running", "running"],
            [second["operation"], second["status"], second["job_status"]],
        )

    def test_whole_message(self) -> None:
        """A message says all that the cloud wants to know."""
        [message] = told(
            op(
                "snf-1",
                "OP_INSTANCE_CREATE",
                "error",
                log=[[1, [1384509202, 5], "message", "- INFO: writing"]],
                reason=[
                    ["gnt:user", f"cyclades:{ORDER}", 1384509200],
                    ["gnt:opcode:create", "job=7;index=0", 1384509201],
                ],
                result=["OpPrereqError", ["no room", "insufficient_resources"]],
            )
        )
        self.assertEqual(
            {
                "type": "ganeti-op-status",
                "instance": "snf-1",
                "operation": "OP_INSTANCE_CREATE",
                "jobId": 7,
                "status": "error",
                "logmsg": "- INFO: writing",
                "event_time": [1384509203, 3],
                "cluster": "c.test",
                "order": str(ORDER),
                "job_status": "error",
                "result": "no room",
                "error_code": "insufficient_resources",
            },
            message,
        )

    def test_times(self) -> None:
        """The time is that of the change to the status."""
        for status, seconds in (
            ("queued", 1384509200),
            ("waiting", 1384509201),
            ("canceling", 1384509201),
            ("running", 1384509202),
            ("success", 1384509203),
        ):
            [message] = told(op("snf-1", "OP_INSTANCE_REBOOT", status))
            self.assertEqual(seconds, message["event_time"][0], status)

    def test_canceled_while_queued(self) -> None:
        """An op that never began has the time at which its job was received."""
        [message] = told(
            op(
                "snf-1",
                "OP_INSTANCE_REBOOT",
                "canceled",
                start_timestamp=None,
                exec_timestamp=None,
                end_timestamp=None,
            )
        )
        self.assertEqual([1384509200, 0], message["event_time"])

    def test_instances(self) -> None:
        """An op on one of several instances is told when it is exactly one."""
        several = op("", "OP_INSTANCE_QUERY_DATA", "success")
        del several["input"]["instance_name"]
        for instances, count in ((["snf-1"], 1), (["snf-1", "snf-2"], 0), ([], 0)):
            several["input"]["instances"] = instances
            self.assertEqual(count, len(told(several)))

    def test_not_ours(self) -> None:
        """Nothing is told of nodes, or of instances that are not servers."""
        self.assertEqual(
            [], told(op("web.example.org", "OP_INSTANCE_REBOOT", "success"))
        )
        self.assertEqual(
            [], told({"input": {"OP_ID": "OP_NODE_ADD"}, "status": "queued"})
        )

    def test_half_a_file(self) -> None:
        """What is not a whole job is refused."""
        whole = orjson.dumps(job(7, op("snf-1", "OP_INSTANCE_REBOOT", "queued")))
        for content in (b"", whole[:-20], b"[]", b"{}", b'{"ops": [1]}'):
            self.assertRaises(Unreadable, messages, 7, content, "c", "snf")

    @given(
        st.sampled_from(
            ["queued", "waiting", "running", "success", "error", "canceled"]
        ),
        st.recursive(st.none() | st.text() | st.integers(-(2**63), 2**63), st.lists),
    )
    def test_understood(self, status: str, result: object) -> None:
        """Whatever an op left, the message about it is one that the cloud reads."""
        content = orjson.dumps(
            job(7, op("snf-1", "OP_INSTANCE_REBOOT", status, result=result))
        )
        [(_, body)] = messages(7, content, "c", "snf")
        self.assertIsInstance(parse(body, "snf", 0.0), JobReport)


class JobStatusTests(SynchronousTestCase):
    """``job_status``."""

    def test_table(self) -> None:
        """The status of a job follows from its ops as Ganeti has it."""
        for ops, whole in (
            ("queued queued", "queued"),
            ("waiting queued", "waiting"),
            ("running queued", "running"),
            ("success queued", "queued"),
            ("success running", "running"),
            ("success success", "success"),
            ("success error", "error"),
            ("error error", "error"),
            ("canceled canceled", "canceled"),
            ("canceling queued", "canceling"),
        ):
            self.assertEqual(whole, job_status(ops.split()), ops)
