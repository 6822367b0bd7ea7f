"""The files of the console's page."""

import shutil
from pathlib import Path

from attrs import evolve

from snf.api.console.doors import Doors
from tests.api.case import UI, ApiTestCase, Reply


class PageTestCase(ApiTestCase):
    """A test with a folder of the page's files."""

    def doors(self) -> Doors:
        self.folder = Path(self.mktemp()).absolute()
        shutil.copytree(
            UI, self.folder, ignore=shutil.ignore_patterns("vendor", "vendor-tests")
        )
        return evolve(super().doors(), directory=self.folder)

    def complete(self) -> None:
        """Have what others wrote, too."""
        others = self.folder / "vendor" / "others"
        others.mkdir(parents=True)
        (others / "part.js").write_text("export const one = 1;\n")
        (self.folder / "vendor" / "complete").write_text("all of it")

    def get(self, path: str, **headers: str) -> Reply:
        """Get a file below ``/console``."""
        return self.call("GET", f"/console/{path}", headers=headers)


class FileTests(PageTestCase):
    """What is served, and how."""

    def setUp(self) -> None:
        super().setUp()
        self.complete()

    def test_pages(self) -> None:
        """Both pages, whatever is in the query; their scripts, and others' parts."""
        for path, kind, begins in (
            ("vnc?token=x", "text/html; charset=utf-8", b"<!doctype html>"),
            ("serial", "text/html; charset=utf-8", b"<!doctype html>"),
            ("vnc.js", "text/javascript; charset=utf-8", b"/**"),
            ("console.css", "text/css; charset=utf-8", b"/*"),
            ("vendor/others/part.js", "text/javascript; charset=utf-8", b"export"),
        ):
            reply = self.get(path)
            self.assertEqual((200, kind), (reply.code, reply.header("Content-Type")))
            self.assertTrue(reply.text.startswith(begins), path)

    def test_policy(self) -> None:
        """Nothing comes from elsewhere, nothing is in the page itself, nobody frames it."""
        reply = self.get("vnc")
        policy = reply.header("Content-Security-Policy") or ""
        self.assertIn(
            "default-src 'none'; script-src 'self'; style-src 'self';", policy
        )
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual("nosniff", reply.header("X-Content-Type-Options"))
        self.assertEqual("no-referrer", reply.header("Referrer-Policy"))
        # Of xterm.js's own style sheet.
        loose = self.get("serial").header("Content-Security-Policy") or ""
        self.assertIn("style-src 'self' 'unsafe-inline';", loose)
        self.assertIn("script-src 'self';", loose)
        for page in ("vnc", "serial"):
            text = self.get(page).text
            self.assertNotIn(b"<style", text)
            self.assertNotIn(b" style=", text)
            self.assertNotIn(
                b" on", text.replace(b" one", b"").replace(b" on an ", b"")
            )
            self.assertEqual(1, text.count(b"<script"))

    def test_again(self) -> None:
        """Who has it already is told so."""
        etag = self.get("vnc.js").header("ETag") or ""
        reply = self.get("vnc.js", **{"If-None-Match": etag})
        self.assertEqual((304, b""), (reply.code, reply.text))

    def test_nothing_else(self) -> None:
        """Neither what only builds need, nor anything beyond the folder."""
        (self.folder.parent / "beyond.js").write_text("secret")
        for path in (
            *("package.json", "package-lock.json", "vendor.py", "vendor/complete"),
            *("", "vendor", "../beyond.js", "..%2fbeyond.js", "%2e%2e/beyond.js"),
            *("//etc/passwd", "vnc/", "vnc.js/", "nothing.js", "%00.js", "%ff.js"),
        ):
            reply = self.get(path)
            self.assertEqual(404, reply.code, path)
            self.assertNotIn(b"secret", reply.text)

    def test_methods(self) -> None:
        """A file can be looked at, and that is all."""
        reply = self.call("HEAD", "/console/vnc.js")
        self.assertEqual((200, b""), (reply.code, reply.text))
        self.assertEqual(404, self.call("POST", "/console/vnc", {}).code)


class IncompleteTests(PageTestCase):
    """A folder without what others wrote."""

    def test_said(self) -> None:
        """It is a 503 that says what to run."""
        reply = self.get("vnc")
        self.assertEqual(503, reply.code)
        self.assertIn("vendor.py", reply.message)
