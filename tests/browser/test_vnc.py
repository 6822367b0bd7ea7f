"""The page of a server's screen."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory

from snf.console.node import NodeSettings, connect
from snf.console.peer import Peer
from snf.testing.screen import Screen
from tests.browser import pictures
from tests.browser.case import BrowserTestCase
from tests.console.qemu import Qemu, qemu

_CONTROL, _ALT, _SHIFT, _DELETE, _RETURN = 0xFFE3, 0xFFE9, 0xFFE1, 0xFFFF, 0xFF0D


class ScreenTestCase(BrowserTestCase):
    """A test with a screen that remembers keys."""

    def setUp(self) -> None:
        super().setUp()
        self.keys: list[tuple[int, bool]] = []
        self.shown: list[Screen] = []
        listening = Factory()
        listening.noisy = False
        listening.buildProtocol = self._made  # type: ignore[method-assign,assignment]
        port: Any = reactor.listenTCP(0, listening, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(self._gone)

        async def screen(cluster: int, server: int) -> Peer:
            place = port.getHost()
            return await connect(reactor, place.host, place.port, NodeSettings())

        self.ends.screen = screen  # type: ignore[method-assign]

    def _made(self, address: object) -> Screen:
        made = Screen(lambda keysym, down: self.keys.append((keysym, down)))
        self.shown.append(made)
        return made

    async def _gone(self) -> None:
        for one in self.shown:
            one.transport.loseConnection()
        while not all(one.lost for one in self.shown):
            await self.pause()

    def opened_page(self, page: Any) -> None:
        """Open a new console."""
        page.goto(self.address("novnc"))
        self.connected(page)

    def connected(self, page: Any) -> None:
        """Wait until the page says that it is connected, and has keys to send."""
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        page.get_by_role("application").wait_for()

    def typed(self, page: Any, keys: list[tuple[int, bool]]) -> None:
        """Wait until just these keys have come."""
        for _ in range(600):
            if len(self.keys) >= len(keys):
                break
            page.wait_for_timeout(20)
        self.assertEqual(keys, self.keys)
        self.keys.clear()


def press(*keysyms: int) -> list[tuple[int, bool]]:
    """Return the events of keys that are pressed one after another, and then let go."""
    return [
        *((one, True) for one in keysyms),
        *((one, False) for one in reversed(keysyms)),
    ]


class PageTests(ScreenTestCase):
    """What the page says and offers."""

    async def test_opened(self) -> None:
        """It says who and what, has its token no longer, and shows the picture."""
        await self.browse(self._opened)

    def _opened(self, page: Any) -> None:
        self.opened_page(page)
        self.assertEqual("web: screen", page.title())
        page.get_by_role("heading", name="web", level=1).wait_for()
        page.get_by_text(
            f"Server {self.mine}, project alpha, opened by alice"
        ).wait_for()
        self.assertNotIn("token", page.url)
        self.assertEqual("", page.evaluate("document.cookie"))
        page.wait_for_function(
            "() => document.querySelector('canvas').getContext('2d')"
            ".getImageData(1, 1, 1, 1).data[0] === 255"
        )
        self.audit(page)

    async def test_keys(self) -> None:
        """Keys are sent, held, and typed for a text that was pasted."""
        await self.browse(self._keys)

    def _keys(self, page: Any) -> None:
        self.opened_page(page)
        page.keyboard.press("a")
        self.typed(page, press(ord("a")))
        page.get_by_role("button", name="Ctrl-Alt-Del").click()
        self.typed(page, press(_CONTROL, _ALT, _DELETE))
        control = page.get_by_role("button", name="Ctrl", exact=True)
        control.click()
        self.assertEqual("true", control.get_attribute("aria-pressed"))
        page.keyboard.press("c")
        control.click()
        self.assertEqual("false", control.get_attribute("aria-pressed"))
        self.typed(page, [(_CONTROL, True), *press(ord("c")), (_CONTROL, False)])
        page.get_by_label("Send another key").select_option("F12")
        self.typed(page, press(0xFFC9))
        page.get_by_role("button", name="Paste").click()
        self.audit(page)
        page.get_by_label("Text, typed").fill("a:\nß")
        page.get_by_role("button", name="Type it").click()
        self.typed(
            page,
            [
                *press(ord("a")),
                *press(_SHIFT, ord(":")),
                *press(_RETURN),
                *press(0xDF),
            ],
        )

    async def test_keyboard_alone(self) -> None:
        """The page is used without a pointer, and the keyboard can be had back."""
        await self.browse(self._keyboard_alone)

    def _keyboard_alone(self, page: Any) -> None:
        self.opened_page(page)
        page.keyboard.press("Tab")
        self.typed(page, press(0xFF09))
        for key in ("Control", "Alt", "Shift"):
            page.keyboard.down(key)
        for key in ("Shift", "Alt", "Control"):
            page.keyboard.up(key)
        page.get_by_role("status").filter(has_text="released").wait_for()
        self.assertEqual("paste", page.evaluate("document.activeElement.id"))
        # What has been pressed is let go, for the guest, too.
        held = [(_CONTROL, True), (_ALT, True)]
        free = [(one, False) for one in (_CONTROL, _ALT, _SHIFT)]
        self.typed(page, held + free)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        self.assertEqual(
            "true", page.locator(".held").last.get_attribute("aria-pressed")
        )

    async def test_lost(self) -> None:
        """A connection that ends is told with the reason, and had again by a key."""
        await self.browse(self._lost)

    def _lost(self, page: Any) -> None:
        self.opened_page(page)
        reactor.callFromThread(self.shown[-1].transport.loseConnection)
        page.get_by_role("alert").filter(has_text="The connection has ended").wait_for()
        self.audit(page)
        page.keyboard.press("Enter")
        self.connected(page)
        self.assertEqual(2, len(self.shown))
        page.get_by_role("alert").wait_for(state="hidden")

    async def test_reloaded(self) -> None:
        """The page may be loaded again; its URL is good once."""
        await self.browse(self._reloaded)

    def _reloaded(self, page: Any) -> None:
        url = self.address("novnc")
        page.goto(url)
        self.connected(page)
        page.reload()
        self.connected(page)
        self.assertEqual(2, len(self.shown))
        page.goto("about:blank")
        page.goto(url)
        page.get_by_role("alert").filter(has_text="ask for a new URL").wait_for()
        self.audit(page)
        self.assertFalse(
            page.get_by_role("button", name="Reconnect").first.is_enabled()
        )

    def expected(self, complaint: str) -> bool:
        # Of what is refused the browser tells by itself.
        return "the server responded with a status of 403" in complaint

    async def test_full_screen(self) -> None:
        """In full screen the bar is there when it is wanted, and only then."""
        await self.browse(self._full_screen)

    def _full_screen(self, page: Any) -> None:
        self.opened_page(page)
        button = page.get_by_role("button", name="Full screen")
        button.click()
        page.wait_for_function("() => document.body.classList.contains('full')")
        self.assertEqual("true", button.get_attribute("aria-pressed"))
        page.get_by_role("application").focus()
        page.mouse.move(300, 400)
        page.wait_for_function(_ABOVE, arg=True)
        page.mouse.move(300, 1)
        page.wait_for_function(_ABOVE, arg=False)
        button.click()
        page.wait_for_function("() => !document.body.classList.contains('full')")

    async def test_narrow(self) -> None:
        """On a telephone nothing is out of reach."""
        await self.browse(self._narrow)

    def _narrow(self, page: Any) -> None:
        page.set_viewport_size({"width": 360, "height": 640})
        self.opened_page(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        self.assertLessEqual(width, 360)
        for button in page.get_by_role("button").all():
            if button.is_visible():
                self.assertLessEqual(button.bounding_box()["x"] + 24, 360)
        self.audit(page)


_ABOVE = "(wanted) => (document.getElementById('bar').getBoundingClientRect().bottom <= 0) === wanted"


class GuestTests(BrowserTestCase):
    """The screen of a real QEMU."""

    async def test_seen(self) -> None:
        """What is typed reaches the machine, whose screen is seen to change."""
        menu = ("-boot", "menu=on,splash-time=60000")
        with qemu("", *menu, stopped=False) as machine:
            self._show(machine)
            await self.browse(self._seen)

    def expected(self, complaint: str) -> bool:
        return pictures.expected(complaint)

    def _show(self, machine: Qemu) -> None:
        async def screen(cluster: int, server: int) -> Peer:
            return await connect(reactor, "127.0.0.1", machine.port, NodeSettings())

        self.ends.screen = screen  # type: ignore[method-assign]

    def _seen(self, page: Any) -> None:
        page.goto(self.address("novnc"))
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        pictures.written(page)
        # Its BIOS waits for a key.
        pictures.still(page)
        page.get_by_label("Send another key").select_option("Escape")
        pictures.changed(page, 3 * pictures.CURSOR)
