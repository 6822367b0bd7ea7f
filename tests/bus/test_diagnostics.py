"""What the OS provider tells, as it is understood."""

from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.messages import Malformed, parse
from snf.core.report import DiagnosticReport, Level


def told(kind: str, **more: Any) -> DiagnosticReport:
    """Return what a message about the server 42 says."""
    message = {"type": kind, "instance": "snf-42", "event_time": [7, 500_000], **more}
    report = parse(orjson.dumps(message), "snf", 9.0)
    assert isinstance(report, DiagnosticReport)
    assert (report.server, report.time) == (42, 7.5)
    return report


class ReadTests(SynchronousTestCase):
    """``image-*`` messages."""

    def test_kinds(self) -> None:
        """Each kind has its level, its source and its text."""
        lines = ["one", "two"]
        for kind, more, expected in (
            ("image-info", {"messages": lines}, (Level.INFO, "image-info", "one\ntwo")),
            ("image-warning", {"messages": []}, (Level.WARNING, "image-warning", "")),
            ("image-error", {"stderr": "no"}, (Level.ERROR, "image-error", "no")),
            (
                "image-helper",
                {"subtype": "task-start", "task": "fix"},
                (Level.DEBUG, "image-helper-task-start", "fix"),
            ),
            (
                "image-helper",
                {"subtype": "error", "messages": lines, "task": "fix"},
                (Level.ERROR, "image-helper-error", "one\ntwo"),
            ),
            ("image-helper", {"subtype": "new"}, (Level.DEBUG, "image-helper", "")),
            ("image-helper", {"subtype": [7]}, (Level.DEBUG, "image-helper", "")),
            ("image-info", {"messages": [7, "x"]}, (Level.INFO, "image-info", "x")),
            ("image-info", {"messages": 7}, (Level.INFO, "image-info", "")),
        ):
            report = told(kind, **more)
            self.assertEqual(expected, (report.level, report.source, report.message))
            self.assertEqual(kind, orjson.loads(report.details)["type"])

    def test_much(self) -> None:
        """Of what is very long, deep or cannot be stored only the text is kept."""
        report = told("image-error", stderr="x" * 10_000)
        self.assertEqual((255, "{}"), (len(report.message), report.details))
        report = told("image-error", stderr="a\0b")
        self.assertEqual(("ab", "{}"), (report.message, report.details))
        deep = b"[" * 900 + b"]" * 900
        body = b'{"type": "image-info", "instance": "snf-42", "x": ' + deep + b"}"
        report = parse(body, "snf", 9.0)
        assert isinstance(report, DiagnosticReport)
        self.assertEqual("{}", report.details)

    def test_not_ours(self) -> None:
        """Other instances are ignored; a message about none is malformed."""
        body = orjson.dumps({"type": "image-info", "instance": "other"})
        self.assertIsNone(parse(body, "snf", 9.0))
        body = orjson.dumps({"type": "image-info"})
        self.assertRaises(Malformed, parse, body, "snf", 9.0)
