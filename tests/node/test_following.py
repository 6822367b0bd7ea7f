"""Guests that are migrated: their new node takes them over as soon as they run there."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.node.case import NodeTestCase, address4, address6, mac
from tests.node.inside import pings
from tests.node.lab import PROGRAM, ROUTER4, Guest, NodeNamespace, batch, run

# What a program on a node has on its path: itself.
sys.path.insert(0, str(PROGRAM))
import follow

sys.path.remove(str(PROGRAM))


def until(so: Callable[[], bool], what: str, timeout_s: float = 15) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout_s
    while not so():
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)


class FollowingTests(NodeTestCase):
    """A guest on its way to a second node."""

    def setUp(self) -> None:
        super().setUp()
        self.second = self.lab.node()

    def coming(self, number: int) -> Guest:
        """Return a guest's new process on the second node, at rest, with its tap."""
        guest = self.lab.guest(self.second, f"tap{number}", mac(number))
        batch(guest.namespace, "link set eth0 down")
        return guest

    def hook(self, number: int, guest: Guest) -> dict[str, str]:
        """Return what Ganeti's hook is told of a guest that is to go to this host."""
        nic = self.public(guest, number)
        named = {
            "GANETI_INSTANCE_NIC0_NAME": nic.pop("INTERFACE_NAME"),
            "GANETI_INSTANCE_NIC0_UUID": nic.pop("INTERFACE_UUID"),
            "GANETI_INSTANCE_NAME": nic.pop("INSTANCE"),
            "GANETI_INSTANCE_TAGS": nic.pop("TAGS"),
            "GANETI_INSTANCE_NIC_COUNT": "1",
            "GANETI_NEW_PRIMARY": socket.gethostname(),
        }
        # Tags are a set, which comes in another order every time.
        tags = " ".join(reversed(nic.pop("NETWORK_TAGS").split()))
        left = {f"GANETI_INSTANCE_NIC0_{key}": value for key, value in nic.items()}
        return {**left, **named, "GANETI_INSTANCE_NIC0_NETWORK_TAGS": tags}

    def follows(self, number: int, guest: Guest) -> None:
        """Have the second node wait for a guest."""
        done = self.second.call("follow", **self.hook(number, guest))
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def tap(self, number: int, tap: str) -> Path:
        """Name a guest's tap on the second node, as Ganeti does."""
        path = self.second.directory / "taps" / f"snf-{number}" / "0"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tap)
        return path

    def listed(self, guest: str) -> Callable[[], bool]:
        return lambda: guest in self.second.call("list").stdout

    def answers(self, number: int) -> list[bool]:
        """Return whether the Internet reaches a guest, by IPv4 and by IPv6."""
        return [
            pings(self.lab.internet, address)
            for address in (address4(number), address6(number))
        ]

    def reached(self, node: NodeNamespace, number: int) -> list[bool]:
        """Return whether a node leads to a guest's addresses, of each family."""
        state = node.state()
        return [
            address in state[f"route{family}"] and address in state[f"proxy{family}"]
            for family, address in ((4, address4(number)), (6, address6(number)))
        ]

    def test_first_frame(self) -> None:
        """It is reached where it was until it speaks on its new node, and there then."""
        old = self.routed(5)
        new = self.coming(5)
        self.follows(5, new)
        self.tap(5, "tap5")
        until(self.listed("tap5 snf-5 "), "the tap is prepared")
        self.assertEqual([False, False], self.reached(self.second, 5))
        self.assertEqual([True, True], self.answers(5))

        batch(old.namespace, "link set eth0 down")
        self.assertEqual([False, False], self.answers(5))
        batch(
            new.namespace,
            "link set eth0 up",
            f"addr add {address4(5)}/24 dev eth0",
            f"route add default via {ROUTER4}",
            f"addr add {address6(5)}/128 dev eth0 nodad",
            "route add default via fe80::1 dev eth0",
        )
        until(lambda: all(self.answers(5)), "the guest answers on its new node")
        self.assertEqual([True, True], self.reached(self.second, 5))

    def test_then_set_up(self) -> None:
        """What Ganeti has set up in the end is what is there already."""
        new = self.coming(5)
        self.follows(5, new)
        self.tap(5, "tap5")
        until(self.listed("tap5 snf-5 "), "the tap is prepared")
        batch(new.namespace, "link set eth0 up")
        until(lambda: all(self.reached(self.second, 5)), "it is led to")
        before = self.second.state()
        self.second.up(self.public(new, 5))
        self.assertEqual(before, self.second.state())

    def test_never_arrives(self) -> None:
        """Of a guest that has stayed where it was nothing is left."""
        self.second.call("gc")
        other = self.coming(6)
        self.second.up(self.public(other, 6))  # brings what is there for good
        before = self.second.state()
        new = self.coming(5)
        self.follows(5, new)
        self.tap(5, "tap5")
        until(self.listed("tap5 snf-5 "), "the tap is prepared")
        self.lab.unplug(new, self.second)
        self.assertEqual("", self.second.call("gc").stderr)
        for part, text in self.second.state().items():
            self.assertEqual(before[part].splitlines(), text.splitlines(), part)

    def test_old_name(self) -> None:
        """What a crash has left names a tap that is another guest's: it keeps it."""
        other = self.coming(6)
        self.second.up(self.public(other, 6))
        stale = self.tap(5, "tap6")
        os.utime(stale, (0, 0))
        new = self.coming(5)
        self.follows(5, new)
        self.tap(5, "tap5")
        until(self.listed("tap5 snf-5 "), "the tap is prepared")
        self.assertIn("tap6 snf-6 ", self.second.call("list").stdout)

    def test_failed(self) -> None:
        """The process ends with a job that has failed before there was a tap."""
        job = Job(self.second.directory / "queue", 7, "snf-5")
        self.follows(5, self.coming(5))
        there = ("ip", "netns", "pids", self.second.namespace)
        until(lambda: run(*there) != "", "a process waits")
        job.now("error")
        until(lambda: run(*there) == "", "the process has ended")
        self.assertNotIn("tap5", self.second.call("list").stdout)


class Job:
    """A migration, as Ganeti's queue has it."""

    def __init__(self, queue: Path, number: int, instance: str) -> None:
        queue.mkdir(exist_ok=True)
        self.path = queue / f"job-{number}"
        self.instance = instance
        self.now("running")

    def now(self, status: str) -> None:
        """Have it in another status."""
        op = {"OP_ID": "OP_INSTANCE_MIGRATE", "instance_name": self.instance}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"ops": [{"input": op, "status": status}]}))
        new.rename(self.path)


class JobTests(NodeTestCase):
    """How long a guest that does not come is waited for."""

    def setUp(self) -> None:
        super().setUp()
        self.queue = self.node.directory / "queue"

    def test_job(self) -> None:
        """As long as its job is not over, however it ends, or is archived."""
        for number, status in enumerate(("error", "canceled", "success", "archived")):
            job = Job(self.queue, number, "snf-5")
            job.now("waiting")
            may_come = follow.coming(self.queue, "snf-5")
            job.now("running")
            self.assertTrue(may_come())
            if status == "archived":
                job.path.unlink()
            else:
                job.now(status)
            self.assertFalse(may_come(), status)

    def test_two_jobs(self) -> None:
        """Where the next one is queued already, it may come by that."""
        first, second = (Job(self.queue, number, "snf-5") for number in (1, 2))
        may_come = follow.coming(self.queue, "snf-5")
        first.now("error")
        self.assertTrue(may_come())
        second.now("error")
        self.assertFalse(may_come())

    def test_unheard(self) -> None:
        """For some time where there is no such job: those that are may be others."""
        Job(self.queue, 1, "snf-5").now("error")
        Job(self.queue, 2, "snf-51")
        for number, text in enumerate(
            ("snf-5", '["snf-5"]', '{"ops": [{"status": "snf-5"}]}', '{"snf-5": 1}'), 3
        ):
            (self.queue / f"job-{number}").write_text(text)
        self.assertTrue(follow.coming(self.queue, "snf-5")())
        self.patch(follow, "_UNHEARD_S", 0)
        self.assertFalse(follow.coming(self.queue, "snf-5")())
        self.assertFalse(follow.coming(self.node.directory / "none", "snf-5")())


class ExpectedTests(NodeTestCase):
    """Who is to wait, and for which NICs."""

    def test_elsewhere(self) -> None:
        """Nobody waits on the node where the guest is, nor where there is no word."""
        for target in ("elsewhere.example.org", ""):
            told = {
                "GANETI_NEW_PRIMARY": target,
                "GANETI_INSTANCE_NIC_COUNT": "1",
                "GANETI_INSTANCE_NIC0_MODE": "routed",
            }
            self.assertEqual([], follow.expected(told))

    def test_routed_alone(self) -> None:
        """Ganeti sets up the others in time itself."""
        told = {
            "GANETI_NEW_PRIMARY": socket.gethostname(),
            "GANETI_INSTANCE_NIC_COUNT": "3",
        }
        for index, mode in enumerate(("bridged", "routed", "openvswitch")):
            told[f"GANETI_INSTANCE_NIC{index}_MODE"] = mode
        [found] = follow.expected(told)
        self.assertEqual("1", found["INTERFACE_INDEX"])
