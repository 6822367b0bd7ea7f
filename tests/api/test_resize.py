"""``resize``, ``confirmResize`` and ``revertResize``."""

from typing import Any
from uuid import UUID, uuid4

from snf.core.catalog import Flavor
from snf.core.news import fold
from snf.core.order import Kind
from snf.core.quota import Resource
from snf.core.report import JobReport, JobStatus
from snf.core.server import Life, Observed
from snf.storage import flavors, lives, quotas
from snf.testing.world import ADMIN, ALICE, PROJECT_A, SMALL
from tests.api.case import NOW, SERVERS, ApiTestCase, Reply

MEDIUM = Flavor(uuid4(), "medium", 2, 512, 1, "file")
BIG_DISK = Flavor(uuid4(), "big disk", 1, 256, 3, "file")
THIN = Flavor(uuid4(), "thin", 1, 64, 1, "file")
DISKLESS = Flavor(uuid4(), "diskless", 2, 512, 0, "diskless")
OTHER_TEMPLATE = Flavor(uuid4(), "drbd", 2, 512, 1, "drbd")
PRIVATE = Flavor(uuid4(), "private", 2, 512, 1, "file", public=False)
DELETED = Flavor(uuid4(), "deleted", 2, 512, 1, "file", deleted=True)

FLAVORS = (MEDIUM, BIG_DISK, THIN, DISKLESS, OTHER_TEMPLATE, PRIVATE, DELETED)

_OPCODES = {
    Kind.MODIFY: "OP_INSTANCE_SET_PARAMS",
    Kind.GROW: "OP_INSTANCE_GROW_DISK",
    Kind.REBOOT: "OP_INSTANCE_REBOOT",
    Kind.DELETE: "OP_INSTANCE_REMOVE",
}


class ResizeTestCase(ApiTestCase):
    """A test with a server that runs, and flavors to choose from."""

    def setUp(self) -> None:
        super().setUp()
        for flavor in FLAVORS:
            self.run_in(flavors.add, flavor)
            if flavor.deleted:
                self.sql("UPDATE flavor SET deleted = true WHERE id = %s", flavor.id)
        self.web = self.server()
        self.live(self.web, Life(Observed.UP))
        self.time = NOW

    def resize(self, flavor: Flavor, **more: Any) -> Reply:
        return self.act(self.web, {"resize": {"flavorRef": str(flavor.id)}}, **more)

    def resized(self, flavor: Flavor) -> None:
        """Have the server resized, and waiting for a word."""
        self.assertEqual(202, self.resize(flavor).code)
        while self.shown(self.web)["OS-EXT-STS:task_state"]:
            self.carried_out()
        self.assertEqual("VERIFY_RESIZE", self.shown(self.web)["status"])

    def carried_out(self, status: JobStatus = JobStatus.SUCCESS) -> Kind:
        """Have the open order carried out; what it was."""
        return self.run_in(self._carry_out, status)

    def _carry_out(self, txn: Any, status: JobStatus) -> Kind:
        txn.execute("SELECT id FROM server WHERE uuid = %s", (UUID(self.web),))
        [(number,)] = txn.fetchall()
        before = lives.load(txn, [number])
        [order] = [one for one in before[number].orders if one.state.open]
        self.time += 1
        report = JobReport(
            server=number,
            job=int(self.time),
            opcode=_OPCODES[order.kind],
            status=status,
            time=self.time,
            ends_job=True,
            order=order.id,
            error=None if status is JobStatus.SUCCESS else "128 MB of memory missing",
        )
        lives.save(txn, before, {number: fold(before[number], report)})
        return order.kind

    def used(self) -> tuple[int, int, int]:
        """Return the cores, the memory and the disks that the project has."""
        used = self.run_in(quotas.used, PROJECT_A.id)
        # What is kept is what is there.
        self.assertEqual([], self.run_in(quotas.recount))
        return tuple(
            used[one] for one in (Resource.CORES, Resource.RAM_MIB, Resource.DISK_GIB)
        )

    def flavor(self) -> str:
        return self.shown(self.web)["flavor"]["id"]

    def action(self, request_id: str | None, by: Any = ADMIN) -> dict[str, Any]:
        """Return what a request did to the server."""
        path = f"{SERVERS}/{self.web}/os-instance-actions/{request_id}"
        return self.call("GET", path, by=by, version="2.84").json["instanceAction"]


class LifeTests(ResizeTestCase):
    """A resize and its end."""

    def test_confirmed(self) -> None:
        """It shows what it is at, has the new flavor when done, and is ACTIVE then."""
        reply = self.resize(MEDIUM)
        self.assertEqual((202, b""), (reply.code, reply.text))
        shown = self.shown(self.web)
        self.assertEqual(
            ("RESIZE", "resize_prep", "active"),
            (
                shown["status"],
                shown["OS-EXT-STS:task_state"],
                shown["OS-EXT-STS:vm_state"],
            ),
        )
        self.assertEqual(str(SMALL.id), self.flavor())
        self.assertIs(Kind.MODIFY, self.carried_out())
        self.assertEqual("resize_finish", self.shown(self.web)["OS-EXT-STS:task_state"])
        self.assertIs(Kind.REBOOT, self.carried_out())
        shown = self.shown(self.web)
        self.assertEqual(
            ("VERIFY_RESIZE", None, "resized", 1),
            (
                shown["status"],
                shown["OS-EXT-STS:task_state"],
                shown["OS-EXT-STS:vm_state"],
                shown["OS-EXT-STS:power_state"],
            ),
        )
        self.assertEqual(str(MEDIUM.id), self.flavor())
        reply = self.act(self.web, {"confirmResize": None})
        self.assertEqual((204, b""), (reply.code, reply.text))
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])
        self.assertEqual(str(MEDIUM.id), self.flavor())
        self.assertEqual((2, 512, 1), self.used())

    def test_reverted(self) -> None:
        """Reverting brings the old flavor back."""
        self.resized(MEDIUM)
        reply = self.act(self.web, {"revertResize": None})
        self.assertEqual((202, b""), (reply.code, reply.text))
        shown = self.shown(self.web)
        self.assertEqual(
            ("REVERT_RESIZE", "resize_reverting"),
            (shown["status"], shown["OS-EXT-STS:task_state"]),
        )
        self.assertEqual((2, 512, 1), self.used())
        self.carried_out()
        self.carried_out()
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])
        self.assertEqual(str(SMALL.id), self.flavor())
        self.assertEqual((1, 128, 1), self.used())

    def test_stopped(self) -> None:
        """A server that is off stays off."""
        self.live(self.web, Life(Observed.DOWN))
        self.assertEqual(202, self.resize(MEDIUM).code)
        self.carried_out()
        self.assertEqual("VERIFY_RESIZE", self.shown(self.web)["status"])
        self.act(self.web, {"confirmResize": {}})
        self.assertEqual("SHUTOFF", self.shown(self.web)["status"])

    def test_failed(self) -> None:
        """What fails leaves the old flavor, and the action says why."""
        request_id = self.resize(MEDIUM).header("x-compute-request-id")
        self.assertEqual((2, 512, 1), self.used())
        self.carried_out(JobStatus.ERROR)
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])
        self.assertEqual(str(SMALL.id), self.flavor())
        self.assertEqual((1, 128, 1), self.used())
        action = self.action(request_id)
        [event] = action["events"]
        self.assertEqual(("resize", "Error"), (action["action"], action["message"]))
        self.assertEqual(
            ("compute_resize_instance", "Error", "128 MB of memory missing"),
            (event["event"], event["result"], event["details"]),
        )
        self.resized(MEDIUM)

    def test_not_restarted(self) -> None:
        """A guest that does not come up again is put back, and that is told."""
        request_id = self.resize(MEDIUM).header("x-compute-request-id")
        self.carried_out()
        self.carried_out(JobStatus.ERROR)
        self.assertEqual("RESIZE", self.shown(self.web)["status"])
        self.assertEqual((2, 512, 1), self.used())
        self.carried_out()
        self.carried_out()
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])
        self.assertEqual((1, 128, 1), self.used())
        events = self.action(request_id)["events"]
        self.assertEqual(
            ["Success", "Error", "Success", "Success"],
            [event["result"] for event in events],
        )

    def test_disk(self) -> None:
        """A disk grows first; reverting leaves it so, and it still counts."""
        self.assertEqual(202, self.resize(BIG_DISK).code)
        self.assertIs(Kind.GROW, self.carried_out())
        self.carried_out()
        self.carried_out()
        self.assertEqual((1, 256, 3), self.used())
        self.act(self.web, {"revertResize": None})
        self.carried_out()
        self.carried_out()
        self.assertEqual(str(SMALL.id), self.flavor())
        self.assertEqual((1, 128, 3), self.used())
        reply = self.resize(MEDIUM)
        self.assertEqual(400, reply.code)
        self.assertIn("none can shrink", reply.message)
        self.resized(BIG_DISK)
        self.act(self.web, {"confirmResize": None})
        self.assertEqual((1, 256, 3), self.used())

    def test_deleted(self) -> None:
        """A server may be deleted at any time of it, and gives back the larger one."""
        for steps in range(4):
            before = self.used()
            self.resize(MEDIUM)
            for _ in range(min(steps, 2)):
                self.carried_out()
            if steps == 3:
                self.act(self.web, {"revertResize": None})
            reply = self.call("DELETE", f"{SERVERS}/{self.web}", by=ALICE)
            self.assertEqual(204, reply.code)
            self.assertEqual("deleting", self.shown(self.web)["OS-EXT-STS:task_state"])
            self.assertIs(Kind.DELETE, self.carried_out())
            self.assertEqual((0, 0, 0), self.used())
            self.assertEqual((1, 128, 1), before)
            self.web = self.server()
            self.live(self.web, Life(Observed.UP))

    def test_told(self) -> None:
        """The audit trail and the server's actions have all three."""
        self.resized(MEDIUM)
        self.act(self.web, {"revertResize": None})
        self.carried_out()
        self.carried_out()
        self.resized(MEDIUM)
        self.act(self.web, {"confirmResize": None})
        told = self.sql(
            "SELECT action FROM activity WHERE action ~ 'esize' ORDER BY id"
        )
        names = ["resize", "revertResize", "resize", "confirmResize"]
        self.assertEqual([(f"server {name}",) for name in names], told)
        path = f"{SERVERS}/{self.web}/os-instance-actions"
        done = self.call("GET", path, by=ALICE).json["instanceActions"]
        self.assertEqual([*reversed(names)], [one["action"] for one in done[:4]])
        revert = self.action(done[2]["request_id"], by=ALICE)
        self.assertEqual(
            ["compute_revert_resize", "compute_finish_revert_resize"],
            [event["event"] for event in revert["events"]],
        )

    def test_found(self) -> None:
        """Lists find servers by these statuses."""
        self.resize(MEDIUM)
        for status in ("RESIZE", "VERIFY_RESIZE"):
            found = self.call("GET", f"{SERVERS}?status={status}", by=ALICE)
            self.assertEqual([self.web], [one["id"] for one in found.json["servers"]])
            if status == "RESIZE":
                self.carried_out()
                self.carried_out()

    def test_old_urls(self) -> None:
        """Synnefo's URL takes the same."""
        path = f"/compute/v1.1/servers/{self.web}/action"
        body = {"resize": {"flavorRef": str(MEDIUM.id)}}
        self.assertEqual(202, self.call("POST", path, body, by=ALICE).code)
