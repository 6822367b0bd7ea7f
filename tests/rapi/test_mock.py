"""Ganeti's own code understands our requests as they are meant."""

import json
import subprocess
from pathlib import Path
from typing import Any

from attrs import define, field
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request as WebRequest

from snf.rapi.client import over
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import WrongCredentials
from snf.rapi.orders import Request
from snf.testing.request_contract import request_tests

GANETI = Path("/usr/share/ganeti/default/ganeti/rapi/testutils.py")
PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("ganeti_mock.py")


@define(eq=False)
class Mock:
    """The process with Ganeti's code in it; ``opcodes`` are those of the last job."""

    process: "subprocess.Popen[str]"
    opcodes: list[dict[str, Any]] = field(factory=list)

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.opcodes = answer["opcodes"]
        return answer

    def stop(self) -> None:
        self.process.communicate(timeout=20)


class Front(Resource):
    """Hands requests to the process."""

    isLeaf = True

    def __init__(self, mock: Mock) -> None:
        super().__init__()
        self.mock = mock

    def render(self, request: WebRequest) -> bytes:
        answer = self.mock.ask(
            method=request.method.decode(),
            path=request.uri.decode(),
            headers={
                name: request.getHeader(name)
                for name in ("Authorization", "Content-Type")
                if request.getHeader(name)
            },
            body=request.content.read().decode() if request.content else "",
        )
        request.setResponseCode(answer["code"])
        for name, value in answer["headers"].items():
            request.setHeader(name, value)
        return answer["body"].encode()


def start(case: TestCase) -> Mock:
    if not GANETI.exists():
        raise SkipTest(f"Ganeti's code is not installed ({GANETI}): run ./cloud test")
    process = subprocess.Popen(
        [PYTHON, str(SCRIPT)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    mock = Mock(process)
    case.addCleanup(mock.stop)
    return mock


def client(mock: Mock, password: str = "secret") -> Any:
    endpoint = Endpoint("mock", "http://mock.test:5080", "us", password, Tls.OFF)
    return over(StubTreq(Front(mock)), endpoint, Clock(), timeout_s=30)


def understood(case: TestCase) -> Any:
    mock = start(case)
    rapi = client(mock)

    async def opcode(wanted: Request) -> dict[str, Any]:
        await rapi.submit(wanted)
        [submitted] = mock.opcodes
        return submitted

    return opcode


class MockRequestTests(request_tests(understood)):
    """How requests are understood."""


class CredentialTests(TestCase):
    """Ganeti's own check of who asks."""

    async def test_wrong_password(self) -> None:
        """Another password than Ganeti's is told from other refusals."""
        mock = start(self)
        with self.assertRaises(WrongCredentials):
            await client(mock, "guess").submit(
                Request("PUT", "/2/instances/snf-7/startup")
            )
        self.assertEqual([], mock.opcodes)
