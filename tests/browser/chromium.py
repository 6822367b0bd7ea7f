"""A browser, and what it complains of while somebody drives it."""

import shutil
from collections.abc import Callable
from typing import Any

_PROGRAM = "chromium"
# Whatever a page waits for is there sooner, or will not be.
_PATIENCE_MS = 30_000

# What a strict policy forbids is as bad as an error of the page's own.
_WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`forbidden: ${event.violatedDirective} ${event.blockedURI}`));
"""


def installed() -> bool:
    """Return whether there is one."""
    return shutil.which(_PROGRAM) is not None


def drive(journey: Callable[..., None], *args: Any) -> list[str]:
    """
    Have a journey be made with a new page; in a thread in which it may wait.

    :return: What the browser has complained of.
    """
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []

    def heard(said: Any) -> None:
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            # As root it refuses to put itself into a sandbox.
            executable_path=shutil.which(_PROGRAM),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        try:
            context = browser.new_context()
            context.set_default_timeout(_PATIENCE_MS)
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda failure: complaints.append(str(failure)))
            journey(page, *args)
        finally:
            browser.close()
    return complaints
