"""Resizes that are refused."""

from uuid import uuid4

from attrs import evolve

from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Fault, Life, Observed
from snf.testing.world import ADMIN, BOB, LARGE, SMALL
from tests.api.case import NOW, Reply
from tests.api.test_resize import (
    BIG_DISK,
    DELETED,
    DISKLESS,
    MEDIUM,
    OTHER_TEMPLATE,
    PRIVATE,
    THIN,
    ResizeTestCase,
)


class RefusedTests(ResizeTestCase):
    """What is not done, and leaves nothing behind."""

    def assert_refused(self, reply: Reply, code: int, words: str) -> None:
        self.assertEqual(code, reply.code, reply.text)
        self.assertIn(words, reply.message)
        self.assertEqual(
            [], self.sql("SELECT 1 FROM orders WHERE kind IN ('modify', 'grow')")
        )
        self.assertEqual((1, 128, 1), self.used())
        self.assertEqual(
            [], self.sql("SELECT 1 FROM server_action WHERE action ~ 'esize'")
        )

    def test_flavors(self) -> None:
        """A flavor must be another one, that may be used, and that the disk fits."""
        cannot = "Server disk was unable to be resized because: "
        for flavor, words in (
            (SMALL, "When resizing, instances must change flavor!"),
            (evolve(SMALL, id=uuid4()), "could not be found."),
            (PRIVATE, f"resize.flavorRef: Flavor {PRIVATE.id} could not be found."),
            (DELETED, f"resize.flavorRef: Flavor {DELETED.id} could not be found."),
            (DISKLESS, f"{cannot}Resize to zero disk flavor is not allowed."),
            (OTHER_TEMPLATE, f"{cannot}It is file, and of the flavor drbd."),
        ):
            self.assert_refused(self.resize(flavor), 400, words)

    def test_private(self) -> None:
        """A private flavor is there for its projects and for admins."""
        self.assertEqual(202, self.resize(PRIVATE, by=ADMIN).code)

    def test_image(self) -> None:
        """The image's least sizes hold."""
        self.sql("UPDATE image SET min_ram_mib = 100")
        words = "Flavor's memory is too small for requested image."
        self.assert_refused(self.resize(THIN), 400, words)

    def test_quota(self) -> None:
        """What the new flavor has more must fit into the quota, in Nova's words."""
        self.builder = evolve(self.builder, limits={**NO_LIMITS, Resource.CORES: 1})
        self.site = self.new_site(self.builder.limits)
        words = "Quota exceeded for cores: Requested 1, but already used 1 of 1 cores"
        self.assert_refused(self.resize(MEDIUM), 403, words)
        # What is not more is not asked for.
        self.assertEqual(202, self.resize(BIG_DISK).code)

    def test_states(self) -> None:
        """Only ACTIVE and SHUTOFF servers are resized, only resized ones confirmed."""
        for life, state in (
            (Life(Observed.BUILD), "building"),
            (Life(Observed.DOWN, fault=Fault("x", NOW)), "error"),
        ):
            self.live(self.web, life)
            words = (
                f"Cannot 'resize' instance {self.web} while it is in vm_state {state}"
            )
            self.assert_refused(self.resize(MEDIUM), 409, words)
        self.live(self.web, Life(Observed.UP))
        for name in ("confirmResize", "revertResize"):
            words = (
                f"Cannot '{name}' instance {self.web} while it is in vm_state active"
            )
            self.assert_refused(self.act(self.web, {name: None}), 409, words)

    def test_during(self) -> None:
        """During a resize, and until its owner's word, nothing else is allowed."""
        others = (
            {"os-start": None},
            {"os-stop": None},
            {"reboot": {"type": "HARD"}},
            {"resize": {"flavorRef": str(LARGE.id)}},
        )
        self.resize(MEDIUM)
        for body in (*others, {"confirmResize": None}, {"revertResize": None}):
            reply = self.act(self.web, body)
            self.assertEqual(409, reply.code)
            self.assertIn("task_state resize_prep", reply.message)
        self.carried_out()
        self.carried_out()
        for body in others:
            reply = self.act(self.web, body)
            self.assertEqual(409, reply.code)
            self.assertIn("vm_state resized", reply.message)

    def test_twice(self) -> None:
        """A second confirmation finds nothing to confirm."""
        self.resized(MEDIUM)
        self.assertEqual(204, self.act(self.web, {"confirmResize": None}).code)
        self.assertEqual(409, self.act(self.web, {"confirmResize": None}).code)
        self.assertEqual(409, self.act(self.web, {"revertResize": None}).code)

    def test_locked(self) -> None:
        """A locked server is not resized."""
        self.act(self.web, {"lock": None})
        words = f"Instance {self.web} is locked"
        self.assert_refused(self.resize(MEDIUM), 409, words)

    def test_kept_from_its_owner(self) -> None:
        """A locked or suspended server's resize waits for an admin's word, or for its end."""
        for keep, end, code in (
            ({"lock": None}, {"unlock": None}, 409),
            ({"SNF:suspend": None}, {"SNF:unsuspend": None}, 403),
        ):
            for body, done in (
                ({"confirmResize": None}, 204),
                ({"revertResize": None}, 202),
            ):
                self.web = self.server()
                self.live(self.web, Life(Observed.DOWN, flavor=SMALL.id))
                self.resized(MEDIUM)
                self.assertEqual(202, self.act(self.web, keep, ADMIN).code)
                self.assertEqual(code, self.act(self.web, body).code, (keep, body))
                self.assertEqual("VERIFY_RESIZE", self.shown(self.web)["status"])
                self.assertEqual(done, self.act(self.web, body, ADMIN).code)
                self.assertEqual(202, self.act(self.web, end, ADMIN).code)

    def test_others(self) -> None:
        """Somebody else's server is not there."""
        for body in (
            {"resize": {"flavorRef": str(MEDIUM.id)}},
            {"confirmResize": None},
            {"revertResize": None},
        ):
            reply = self.act(self.web, body, by=BOB)
            self.assert_refused(reply, 404, "could not be found")

    def test_bodies(self) -> None:
        """What a body may be."""
        good = str(MEDIUM.id)
        for argument, words in (
            (None, "resize: must be an object"),
            (good, "resize: must be an object"),
            ([], "resize: must be an object"),
            ({}, "resize.flavorRef"),
            ({"flavorRef": None}, "resize.flavorRef"),
            ({"flavorRef": True}, "resize.flavorRef"),
            ({"flavorRef": [good]}, "resize.flavorRef"),
            ({"flavorRef": ""}, "could not be found"),
            ({"flavorRef": "\0"}, "could not be found"),
            ({"flavorRef": "größer"}, "could not be found"),
            ({"flavorRef": 7}, "Flavor 7 could not be found"),
            ({"flavorRef": good, "adminPass": "x"}, "resize.adminPass"),
            ({"flavorRef": good, "OS-DCF:diskConfig": "X"}, "OS-DCF:diskConfig"),
            ({"flavorRef": good, "OS-DCF:diskConfig": None}, "OS-DCF:diskConfig"),
        ):
            self.assert_refused(self.act(self.web, {"resize": argument}), 400, words)
        for name in ("confirmResize", "revertResize"):
            reply = self.act(self.web, {name: {"force": True}})
            self.assert_refused(reply, 400, f"{name}: takes no arguments")
        body = {"flavorRef": f"http://x/flavors/{good}", "OS-DCF:diskConfig": "AUTO"}
        self.assertEqual(202, self.act(self.web, {"resize": body}).code)
