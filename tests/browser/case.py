"""What tests of pages stand on: Chromium, with the site, the database and a server."""

import shutil
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import SkipTest

from tests.api.case import UI
from tests.api.test_console_sockets import SocketTestCase

_CHROMIUM = "chromium"
_AXE = UI / "vendor-tests" / "axe.min.js"
# Whatever a page waits for is there sooner, or will not be.
_PATIENCE_MS = 30_000

# What a strict policy forbids is as bad as an error of the page's own.
_WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`forbidden: ${event.violatedDirective} ${event.blockedURI}`));
"""
_AUDIT = """
async () => (await axe.run()).violations.map(
  (one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)
"""


class BrowserTestCase(SocketTestCase):
    """A test with a browser, which a thread of its own drives."""

    timeout = 180

    def setUp(self) -> None:
        if shutil.which(_CHROMIUM) is None:
            raise SkipTest("chromium is not installed: run ./cloud test")
        if not _AXE.is_file():
            raise SkipTest("ui/vendor-tests is missing: run ui/vendor.py --tests")
        super().setUp()

    async def browse(self, journey: Callable[..., None], *args: Any) -> None:
        """Have a journey be made with a new page: nothing may complain on the way."""
        await deferToThread(self._browse, journey, *args)

    def _browse(self, journey: Callable[..., None], *args: Any) -> None:
        from playwright.sync_api import sync_playwright

        complaints: list[str] = []
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                # As root it refuses to put itself into a sandbox.
                executable_path=shutil.which(_CHROMIUM),
                args=["--no-sandbox", "--disable-dev-shm-usage"],
            )
            try:
                context = browser.new_context()
                context.set_default_timeout(_PATIENCE_MS)
                context.add_init_script(_WATCH)
                page = context.new_page()
                page.on(
                    "console",
                    lambda said: (
                        complaints.append(said.text)
                        if said.type in ("error", "warning")
                        else None
                    ),
                )
                page.on("pageerror", lambda failure: complaints.append(str(failure)))
                journey(page, *args)
            finally:
                browser.close()
        unexpected = [one for one in complaints if not self.expected(one)]
        self.assertEqual([], unexpected)

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
