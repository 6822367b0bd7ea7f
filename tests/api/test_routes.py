"""The routes that there are, and that the manual's page says so."""

from twisted.trial.unittest import SynchronousTestCase

from snf.api.policy import Reach
from snf.testing.world import ALICE
from tests.api.case import ApiTestCase
from tests.api.routes import PAGE, page, served

# By which nodes, which have no tokens, tell of their guests.
OF_NODES = {"/node/v1/metadata/{server}/password"}


class PageTests(SynchronousTestCase):
    """``docs/api.md``."""

    def test_up_to_date(self) -> None:
        """Its tables are those of the code; else: python -m tests.api.routes."""
        text = PAGE.read_text("utf-8")
        self.assertEqual(page(text), text)


class RouteTests(ApiTestCase):
    """Every route keeps to what its table says."""

    def test_open_ones(self) -> None:
        """Without a token: discovery, logins, consoles' tokens, and what nodes sign."""
        opened = {(one.method, one.path) for one in served() if one.role == "open"}
        posts = {path for method, path in opened if method != "GET"}
        logins = {"/identity/v3/auth/tokens", "/identity/v2.0/tokens"}
        self.assertEqual({*logins, "/console/sessions", *OF_NODES}, posts)
        for path in OF_NODES:
            self.assertEqual(403, self.call("POST", path, {"password": "x"}).code)
        for method, path in opened:
            if method == "GET":
                codes = (403,) if path.startswith("/node/") else (200, 300)
                self.assertIn(self.call("GET", path).code, codes, path)

    def test_closed_ones(self) -> None:
        """All else is a 401 without a token and something else with one."""
        for one in served():
            if one.role == "open":
                continue
            path = one.path.replace("{", "").replace("}", "")
            with self.subTest(path=path, method=one.method):
                reply = self.call(one.method, path, {})
                self.assertEqual(401, reply.code)
                reply = self.call(one.method, path, {}, by=ALICE)
                codes = (400, 403) if one.role == "admin" else (200, 201, 400, 403, 404)
                self.assertIn(reply.code, codes, reply.text)

    def test_changes_need_a_member(self) -> None:
        """No route that changes a project's things is open to its readers."""
        for one in served():
            own = one.reach in (Reach.MINE.value, Reach.SELF.value)  # no project's
            nobodys = one.path.startswith(("/identity", "/console"))
            nobodys = nobodys or one.path in OF_NODES
            if one.method != "GET" and not nobodys and not own:
                self.assertIn(one.role, ("member", "admin"), one.path)

    def test_identity_changes_need_an_admin(self) -> None:
        """What is not for admins only in the identity API is one's own."""
        own = (Reach.SELF.value, Reach.USER.value)
        for one in served():
            if (
                one.method != "GET"
                and one.path.startswith("/identity")
                and not one.path.endswith("/tokens")
            ):
                self.assertTrue(one.role == "admin" or one.reach in own, one)
