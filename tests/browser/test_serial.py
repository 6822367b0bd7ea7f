"""The page of a server's serial line."""

from typing import Any

from twisted.internet import reactor

from tests.browser.case import BrowserTestCase


class LineTests(BrowserTestCase):
    """What comes over the line is seen, and what is typed goes over it."""

    async def test_line(self) -> None:
        """Text is shown, keys and pasted text are sent."""
        await self.browse(self._line)

    def _line(self, page: Any) -> None:
        page.goto(self.address("serial"))
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        self.assertEqual("web: serial line", page.title())
        self.assertNotIn("token", page.url)
        far = self.ends.far[-1]
        reactor.callFromThread(far.send, "Grüße\r\nlogin: ".encode())
        page.get_by_text("login:").first.wait_for()
        page.get_by_text("Grüße").first.wait_for()
        page.keyboard.type("root\r")
        self.sent(page, b"root\r")
        page.get_by_role("button", name="Paste").click()
        page.get_by_label("Text, typed").fill("echo ä\n")
        page.get_by_role("button", name="Type it").click()
        self.sent(page, "echo ä\r".encode())
        self.audit(page)

    def sent(self, page: Any, wanted: bytes) -> None:
        """Wait until just that has gone over the line."""
        far = self.ends.far[-1]
        for _ in range(600):
            if len(far.got) >= len(wanted):
                break
            page.wait_for_timeout(20)
        self.assertEqual(wanted, bytes(far.got))
        far.got.clear()

    async def test_lost(self) -> None:
        """Its end is told, and it can be had again; the keyboard, too."""
        await self.browse(self._lost)

    def _lost(self, page: Any) -> None:
        page.goto(self.address("serial"))
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        page.keyboard.press("Control+Alt+Shift")
        page.get_by_role("status").filter(has_text="released").wait_for()
        self.assertEqual("paste", page.evaluate("document.activeElement.id"))
        reactor.callFromThread(self.ends.far[-1].transport.loseConnection)
        page.get_by_role("alert").filter(has_text="The connection has ended").wait_for()
        self.audit(page)
        page.keyboard.press("Enter")
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        self.assertEqual(2, len(self.ends.far))
