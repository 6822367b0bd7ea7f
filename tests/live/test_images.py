"""Images that users bring: from a file to a guest that is theirs."""

import base64
import contextlib
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from snf.allinone.images import NAME
from tests.live.cloud import LiveTestCase, eventually

_SSH = (
    *("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
    *("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    *("-o", "ConnectTimeout=20"),
)


# Until the user data have run; the whole of it takes no longer than SSH may.
_RAN = "until grep -q '^USER-DATA exit=0' /tmp/said; do sleep 1; done"
_SERVERS = "/compute/v2.1/servers"
_FLAVORS = "/compute/v2.1/flavors"


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class ImagesTestCase(LiveTestCase):
    """A test with a directory, an SSH key and its key pair."""

    timeout = 400

    def setUp(self) -> Any:
        super().setUp()
        return ensureDeferred(self._prepared())

    async def _prepared(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        self.name = f"live-{uuid4().hex[:6]}"
        self.key = self.directory / "key"
        making = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        subprocess.run(making, check=True)
        public = str(self.key.with_suffix(".pub"))
        client = self.user.openstack
        await client("keypair", "create", "--public-key", public, self.name)
        self.addCleanup(client, "keypair", "delete", self.name)

    async def uploaded(self) -> str:
        """Upload the small guest's disk as an image of the user's own; its id."""
        made = await self.user.openstack(
            *("image", "create", "--disk-format", "qcow2", "--min-disk", "1"),
            *("--property", "OS=linux", "--property", "OSFAMILY=linux"),
            *("--property", "USERS=root", "--file", str(self.cloud.guest.disk)),
            *("-f", "json", self.name),
        )
        self.addCleanup(self.user.openstack, "image", "delete", made["id"])
        shown = await self.user.openstack("image", "show", "-f", "json", made["id"])
        self.assertEqual("active", shown["status"])
        return made["id"]

    async def server(self, image: str, **more: Any) -> dict[str, Any]:
        """
        Make a server from an image, with the test's key, and wait until it is up.

        By hand: the client "openstack" cannot send files (its --file fails).
        """
        [flavor] = [
            one["id"]
            for one in (await self.user.call("GET", _FLAVORS)).json["flavors"]
            if one["name"] == "m1.small"
        ]
        body = {"name": self.name, "flavorRef": flavor, "imageRef": image, **more}
        body["key_name"] = self.name
        reply = await self.user.call("POST", _SERVERS, {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        made = reply.json["server"]
        self.later(self._cleaned, made["id"])
        await self.user.until(made["id"], "ACTIVE", 120)
        return made

    async def inside_guest(self, server: str, command: str) -> str:
        """Return what a command prints in a guest, reached at its IPv4 address by SSH."""
        shown = await self.user.show(server)
        assert shown is not None
        four = shown["addresses"]["default"][0]["addr"]
        whole = [*_SSH, "-i", str(self.key), f"root@{four}", command]

        async def done() -> "subprocess.CompletedProcess[str] | None":
            ended = await deferToThread(
                subprocess.run, whole, capture_output=True, text=True, timeout=60
            )
            return ended if ended.returncode == 0 else None

        ended = await eventually(done, f"ssh {four}: {command}", 120, 1)
        return ended.stdout


class OwnImageTests(ImagesTestCase):
    """The first proof: an image, a key, a guest."""

    async def test_own(self) -> None:
        """It comes up with key, host name, file and user data; no secret stays behind."""
        image = await self.uploaded()
        secrets = {name: f"{name}-{uuid4().hex}" for name in ("file", "data")}
        script = f"#!/bin/sh\necho {secrets['data']} on $(hostname)\n"
        greeting = {"path": "/etc/greeting", "contents": _coded(secrets["file"])}
        made = await self.server(
            image, user_data=_coded(script), personality=[greeting]
        )
        secrets["password"] = made["adminPass"]
        number = await self.number(made["id"])
        seen = await self.inside_guest(
            made["id"],
            f"{_RAN}; hostname; cat /etc/greeting; echo; cat /var/log/user-data.log",
        )
        self.assertEqual(
            [self.name, secrets["file"], f"{secrets['data']} on {self.name}"],
            seen.splitlines(),
        )
        found = await deferToThread(self._left_behind, secrets.values())
        self.assertEqual([], found)
        # Where it looks there is what is no secret.
        names = await deferToThread(self._left_behind, [f"snf-{number}"])
        self.assertTrue([path for path in names if "/queue/" in path], names)
        await self.user.delete(made["id"], 120)

    async def test_public(self) -> None:
        """The cloud's own image does as well; without a disk it is refused."""
        named = await self.user.ids("m1.small", NAME)
        made = await self.server(named["imageRef"])
        self.assertEqual("root\n", await self.inside_guest(made["id"], "id -un"))
        if len(self.cloud.ganeti.machines) > 1:
            # What it boots from, and its config drive, go with it.
            name = f"snf-{await self.number(made['id'])}"
            await self.inside("gnt-instance", "migrate", "-f", name)
            look = "cat /sys/block/vdb/size; grep -c . /proc/uptime; touch /root/there"
            seen = await self.inside_guest(made["id"], look)
            self.assertEqual(["32768", "1"], seen.split())
        body = {"name": self.name, **await self.user.ids("m1.tiny", NAME)}
        reply = await self.user.call("POST", _SERVERS, {"server": body})
        self.assertEqual(400, reply.code, reply.json)

    async def test_rebuild(self) -> None:
        """Rebuilt from another image it keeps its address, and is set up once more."""
        named = await self.user.ids("m1.small", NAME)
        image = await self.uploaded()
        script = "#!/bin/sh\nhostname >>/root/runs\n"
        made = await self.server(named["imageRef"], user_data=_coded(script))
        server = made["id"]
        await self.inside_guest(server, f"{_RAN}; echo gone >/root/mine; sync")
        before = await self.user.until(server, "ACTIVE")
        rebuild = {"rebuild": {"imageRef": image}}
        self.assertEqual(202, await self.user.act(server, rebuild))
        after = await self.user.until(server, "ACTIVE", 120)
        self.assertEqual(image, after["image"]["id"])
        self.assertEqual(before["addresses"], after["addresses"])
        seen = await self.inside_guest(server, f"{_RAN}; cat /root/runs; ls /root")
        self.assertEqual([self.name, "runs"], seen.splitlines())
        await self.user.delete(server, 120)

    def _left_behind(self, secrets: Iterable[str]) -> list[str]:
        """Return where one of these is to be found that is not a guest's own disk."""
        wanted = []
        for secret in secrets:
            plain = secret.encode()
            # In base64 it looks different at each of three offsets.
            shifted = (base64.b64encode(bytes(by) + plain)[4:-4] for by in range(3))
            wanted += [plain, *shifted]
        state = self.cloud.layout.state
        places = [state / "log", state / "run"]
        for machine in self.cloud.ganeti.machines:
            places += [machine.data, machine.home / "log", machine.spool]
            places.append(machine.namespace.path("/run/ganeti"))
        files = [path for place in places for path in place.rglob("*")]
        files += Path("/proc").glob("[0-9]*/cmdline")
        files += self.cloud.ganeti.home.glob("etc/**/*")
        found = []
        for path in files:
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    content = path.read_bytes()
                    found += [str(path) for one in wanted if one in content]
        self.assertGreater(len(files), 100)
        return found
