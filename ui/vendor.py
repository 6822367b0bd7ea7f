#!/usr/bin/python3
"""Has in ``ui/vendor`` what others wrote for the console's page, as package-lock.json names it.

With ``--tests`` also, in ``ui/vendor-tests``, what looks at the page in tests.  npm fetches it and checks each package's digest; nothing of the packages is run.  It is
done again only when the lock has changed.  Standard library alone: setup.py runs it, too.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
_DESCRIBED = ("package.json", "package-lock.json")
_MARK = "complete"
_LIMIT_S = 300

# Where in npm's packages, and where in the folder; with the licenses.
_PAGE = {
    "@novnc/novnc/core": "novnc/core",
    "@novnc/novnc/vendor": "novnc/vendor",
    "@novnc/novnc/LICENSE.txt": "novnc/LICENSE.txt",
    "@novnc/novnc/AUTHORS": "novnc/AUTHORS",
    "@xterm/xterm/lib/xterm.mjs": "xterm/xterm.mjs",
    "@xterm/xterm/css/xterm.css": "xterm/xterm.css",
    "@xterm/xterm/LICENSE": "xterm/LICENSE",
}
_TESTS = {
    "axe-core/axe.min.js": "axe.min.js",
    "axe-core/LICENSE": "LICENSE",
}


class Failed(Exception):
    """It cannot be had; the text says why."""


def vendor(ui: Path = HERE, tests: bool = False) -> bool:
    """
    Have it; return whether it had to be fetched.

    :param tests: What is for tests, in place of what is for the page.
    :raises Failed: There is no npm, or it fails.
    """
    lock = (ui / "package-lock.json").read_text("utf-8")
    target = ui / ("vendor-tests" if tests else "vendor")
    mark = target / _MARK
    if mark.is_file() and mark.read_text("utf-8") == lock:
        return False
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=ui) as directory:
        place = Path(directory)
        for name in _DESCRIBED:
            shutil.copy(ui / name, place / name)
        _npm(place, [] if tests else ["--omit=dev"])
        whole = place / "vendor"
        for there, here in (_TESTS if tests else _PAGE).items():
            _copy(place / "node_modules" / there, whole / here)
        (whole / _MARK).write_text(lock, "utf-8")
        # What is served is all of the one or all of the other.
        if target.exists():
            target.rename(place / "former")
        whole.rename(target)
    return True


def _npm(place: Path, options: list[str]) -> None:
    program = shutil.which("npm")
    if program is None:
        raise Failed("npm is needed: apt-get install npm")
    command = [program, "ci", *options, "--ignore-scripts", "--no-audit"]
    command += ["--no-fund", "--no-update-notifier", "--loglevel=error"]
    command += [f"--cache={place}/cache"]
    try:
        done = subprocess.run(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"npm has not ended within {_LIMIT_S} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Failed(f"npm failed: {said[0] if said else done.returncode}")


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise Failed(f"the packages do not have {source.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def main() -> int:
    """Do so, saying what was done."""
    try:
        made = [vendor()]
        if "--tests" in sys.argv[1:]:
            made.append(vendor(tests=True))
    except (Failed, OSError) as failure:
        print(f"ui/vendor.py: {failure}", file=sys.stderr)
        return 1
    print("ui/vendor: " + ("made" if any(made) else "there"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
