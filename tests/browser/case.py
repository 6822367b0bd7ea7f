"""What tests of pages stand on: Chromium, with the site, the database and a server."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import SkipTest

from tests.api.case import UI
from tests.api.test_console_sockets import SocketTestCase
from tests.browser import chromium

_AXE = UI / "vendor-tests" / "axe.min.js"
_AUDIT = """
async () => (await axe.run()).violations.map(
  (one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)
"""


class BrowserTestCase(SocketTestCase):
    """A test with a browser, which a thread of its own drives."""

    timeout = 180

    def setUp(self) -> None:
        if not chromium.installed():
            raise SkipTest("chromium is not installed: run ./cloud test")
        if not _AXE.is_file():
            raise SkipTest("ui/vendor-tests is missing: run ui/vendor.py --tests")
        super().setUp()

    async def browse(self, journey: Callable[..., None], *args: Any) -> None:
        """Have a journey be made with a new page: nothing may complain on the way."""
        complaints = await deferToThread(chromium.drive, journey, *args)
        self.assertEqual([], [one for one in complaints if not self.expected(one)])

    def expected(self, complaint: str) -> bool:
        """Return whether a complaint of the browser's belongs to the test."""
        return False

    def address(self, kind: str) -> str:
        """Return a new console's URL, as the browser reaches it; from its thread."""
        path = blockingCallFromThread(reactor, self.url, kind)
        return f"http://127.0.0.1:{self.port}{path}"

    def audit(self, page: Any) -> None:
        """Return if everybody can use a page as it is now, by axe's rules."""
        # Through the debugger: the page's policy forbids other people's scripts.
        page.evaluate(_AXE.read_text("utf-8"))
        self.assertEqual([], page.evaluate(_AUDIT))
