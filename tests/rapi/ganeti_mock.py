"""Ganeti's own remote API in a process of its own, without a cluster.

Run by Debian's Python, which has Ganeti's modules and what they need.  A line of JSON
on standard input is a request: {"method", "path", "headers", "body"}; the answer on
standard output is {"code", "headers", "body", "opcodes"}, where "opcodes" are those of
the job that Ganeti would have submitted.
"""

import json
import sys

sys.path.insert(0, "/usr/share/ganeti/default")

import ganeti.rapi.testutils as testutils
from ganeti.rpc import client as rpc

from ganeti import http, luxi, rapi


class Transport:
    """Takes LUXI calls: notes the opcodes of jobs, which get ids from 1 on."""

    submitted = []
    serial = 0

    def __init__(self, address, timeouts=None, allow_non_master=None):
        pass

    def Close(self):
        pass

    def Call(self, data):
        method, arguments, _ = rpc.ParseRequest(data)
        if method != luxi.REQ_SUBMIT_JOB:
            return rpc.FormatResponse(False, f"no {method} here")
        type(self).serial += 1
        self.submitted.extend(arguments[0])
        return rpc.FormatResponse(True, self.serial)


def user(name):
    return http.auth.PasswordFileUser(name, "secret", [rapi.RAPI_ACCESS_WRITE])


def client(address=None):
    return luxi.Client(transport=Transport, address=address)


def answer(mock, asked):
    Transport.submitted.clear()
    headers = http.ParseHeaders(
        testutils.StringIO("".join(f"{k}: {v}\n" for k, v in asked["headers"].items()))
    )
    code, headers, body = mock.FetchResponse(
        asked["path"], asked["method"], headers, asked["body"]
    )
    if isinstance(body, bytes):
        body = body.decode("utf-8")
    return {
        "code": code,
        "headers": headers,
        "body": body,
        "opcodes": list(Transport.submitted),
    }


def main():
    mock = testutils._RapiMock(user, client, reqauth=True)
    for line in sys.stdin:
        json.dump(answer(mock, json.loads(line)), sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()


main()
