"""What is on a screen, as the page shows it: whether it has changed."""

from typing import Any

# How many pixels a cursor that blinks has at most.
CURSOR = 200

_REMEMBER = """
() => {
  const canvas = document.querySelector("canvas");
  window.before = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
}
"""
_CHANGED = """
() => {
  const canvas = document.querySelector("canvas");
  const now = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  if (now.data.length !== window.before.data.length) return now.data.length;
  let count = 0;
  for (let at = 0; at < now.data.length; at += 4) {
    count += [0, 1, 2].some((one) => now.data[at + one] !== window.before.data[at + one]);
  }
  return count;
}
"""
# Text is bright on black.
_WRITTEN = """
(least) => {
  const canvas = document.querySelector("canvas");
  if (canvas === null || !canvas.width) return false;
  const now = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < now.data.length; at += 4) count += now.data[at] > 100;
  return count > least;
}
"""


def written(page: Any, least: int = 500) -> None:
    """Wait until something is written on a screen."""
    page.wait_for_function(_WRITTEN, arg=least)


def still(page: Any) -> None:
    """Wait until nothing but a cursor changes any more, and remember that."""
    while True:
        page.evaluate(_REMEMBER)
        page.wait_for_timeout(1000)
        if page.evaluate(_CHANGED) < CURSOR:
            return


def changed(page: Any, least: int) -> None:
    """Wait until so many pixels are not as they were remembered."""
    page.wait_for_function(f"(least) => ({_CHANGED})() > least", arg=least)


def expected(complaint: str) -> bool:
    """Return whether a browser complains of these looks."""
    return "Multiple readback operations" in complaint
