"""The limit of the API's speed: the same stack with nothing to do for an answer.

python -m bench.static PORT FILE
"""

import sys
from pathlib import Path

from twisted.internet import endpoints, reactor
from twisted.web.http import Request
from twisted.web.server import Site
from twisted.web.static import Data


class _Quiet(Site):
    def log(self, request: Request) -> None:
        return


def main() -> None:
    """Answer whatever is asked with what the file holds."""
    port, file = sys.argv[1:]
    answer = Data(Path(file).read_bytes(), "application/json")
    answer.isLeaf = True
    where = f"tcp:{port}:interface=127.0.0.1"
    endpoints.serverFromString(reactor, where).listen(_Quiet(answer))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
