"""The small guest's own disk: it boots, and is what its config drive says."""

import base64
import json
import subprocess
import sys
import time
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.scripts import CHECKOUT
from tests.allinone.machine import Machine, new_disk

_PROGRAM = CHECKOUT / "ganeti" / "os" / "cyclades" / "program"
_RAN = "#!/bin/sh\necho user data of $(hostname)\necho ran >>/root/runs\n"
_PASSWORD = "Kuchen-mit-Sahne-9"


def told(uuid: str, **more: Any) -> dict[str, Any]:
    """Return what a guest is told, as the API tells the node."""
    return {
        "version": 1,
        "uuid": uuid,
        "name": "Web one",
        "hostname": "web-one",
        "project_id": "p",
        "availability_zone": "nova",
        "metadata": {},
        "keys": [],
        "admin_pass": None,
        "user_data": None,
        "personality": [],
        "properties": {"OS": "linux", "USERS": "root"},
        "interfaces": [],
    } | more


class BootTestCase(SynchronousTestCase):
    """A test with a directory, and a machine that has ended after it."""

    timeout = 900

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)

    def start(self, *disks: Path, **how: Any) -> Machine:
        """Start a machine."""
        machine = Machine.start(self.directory, *disks, **how)
        self.addCleanup(machine.stop)
        return machine

    def key(self) -> tuple[str, str]:
        """Return a new key's file and its public part."""
        path = self.directory / "key"
        making = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(making, check=True)
        return str(path), path.with_suffix(".pub").read_text().strip()

    def drive(self, guest: dict[str, Any], label: str = "config-2") -> Path:
        """Return a drive as the OS definition writes it."""
        sys.path.insert(0, str(_PROGRAM))
        before = set(sys.modules)
        try:
            names = ("guest", "drive", "fat")
            guests, drives, fat = (import_module(name) for name in names)
            packed = base64.b64encode(zlib.compress(json.dumps(guest).encode()))
            files = drives.files(guests.unpack(packed.decode()))
        finally:
            sys.path.remove(str(_PROGRAM))
            for name in set(sys.modules) - before:
                del sys.modules[name]
        if label != "config-2":
            files = {name: data for name, data in files.items() if "/" not in name}
        path = self.directory / f"{guest['uuid']}.raw"
        path.write_bytes(fat.image(files, label, 1, time.gmtime()))
        return path


class ConfigDriveTests(BootTestCase):
    """A config drive as the OS definition writes it."""

    def test_life(self):
        """It takes all of it at its first boot; what is done once is done once."""
        private, public = self.key()
        given = told(
            "11111111-1111-4111-8111-111111111111",
            keys=[{"name": "k", "type": "ssh", "public_key": f"{public} a 'b' $(c)"}],
            admin_pass=_PASSWORD,
            user_data=base64.b64encode(_RAN.encode()).decode(),
            personality=[_file("/etc/greeting", "good morning\n", 0o640)],
            interfaces=[_interface()],
        )
        disk = new_disk(self.directory)
        machine = self.start(disk, self.drive(given))
        said = machine.until("USER-DATA exit=0")
        for line in (
            r"USERLAND-UP uptime=",
            r"CONFIG-DRIVE /dev/vdb config-2",
            r"LEASE bound eth0 10\.0\.2\.15/24",
            r"ADVERTISED eth0 fd00:",
            r"HOSTNAME web-one",
            r"READY uptime=",
        ):
            self.assertRegex(said, line)
        first = self._seen(machine, "-i", private)
        self.assertIn("web-one", first)
        self.assertIn("good morning", first)
        self.assertIn("user data of web-one", first)
        self.assertRegex(first, r"640 root root /etc/greeting")
        self.assertIn(" mtu 1400 ", first)
        # It fills the disk, which is larger than what was written to it.
        self.assertGreater(_size_kib(first), 900_000)
        self._by_password(machine)

        machine.ssh("echo mine >>/etc/greeting; sync; reboot", "-i", private)
        self.assertNotIn("USER-DATA", machine.until("READY"))
        second = self._seen(machine, "-i", private)
        self.assertEqual("runs=1", second.splitlines()[0])
        self.assertIn("mine", second)
        self.assertEqual(_host_key(first), _host_key(second))

        machine.monitor("system_powerdown")
        machine.until("POWERBUTTON")
        self.assertEqual(0, machine.ended())
        # An image of it becomes another server.
        other = given | {"uuid": "22222222-2222-4222-8222-222222222222"}
        other |= {"hostname": "other", "personality": []}
        larger = new_disk(self.directory, "2G", disk)
        third = self.start(larger, self.drive(other))
        third.until("USER-DATA exit=0")
        seen = self._seen(third, "-i", private)
        self.assertEqual("runs=2", seen.splitlines()[0])
        self.assertIn("user data of other", seen)
        self.assertIn("mine", seen)
        self.assertNotEqual(_host_key(first), _host_key(seen))
        self.assertGreater(_size_kib(seen), 1_900_000)

    def _seen(self, machine: Machine, *options: str) -> str:
        look = (
            "echo runs=$(wc -l </root/runs); hostname; cat /etc/greeting"
            " /var/log/user-data.log; stat -c '%a %U %G %n' /etc/greeting;"
            " ip link show dev eth0; df -k / | awk 'NR == 2 { print \"kib=\" $2 }';"
            " dropbearkey -y -f /etc/dropbear/key | grep Fingerprint"
        )
        done = machine.ssh(look, *options)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def _by_password(self, machine: Machine) -> None:
        """Have the password let root in, and another one not."""
        for word, lets_in in ((_PASSWORD, True), ("wrong", False)):
            ask = self.directory / "ask"
            ask.write_text(f"#!/bin/sh\necho '{word}'\n")
            ask.chmod(0o700)
            asking = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
            only = ("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1")
            done = machine.ssh("id -un", *only, environment=asking)
            self.assertEqual(lets_in, done.stdout == "root\n", done.stderr)

    def test_fixed_addresses(self):
        """Without DHCP it takes the addresses, routes and DNS servers that it is told."""
        four = {
            "address": "10.0.2.77",
            "prefix": 24,
            "gateway": "10.0.2.2",
            "dhcp": False,
            "version": 4,
            "routes": [{"destination": "10.7.0.0/16", "nexthop": "10.0.2.3"}],
            "dns": ["10.0.2.53", "10.0.2.3"],
        }
        nic = _interface() | {"ips": [four]}
        given = told("33333333-3333-4333-8333-333333333333", interfaces=[nic])
        machine = self.start(new_disk(self.directory), self.drive(given))
        said = machine.until("READY")
        self.assertNotIn("LEASE", said)
        self.assertIn("ADDRESSES eth0 10.0.2.77/24", said)
        machine.type("ip route; cat /etc/resolv.conf; echo TO''LD\n")
        seen = machine.until("TOLD")
        self.assertIn("default via 10.0.2.2 dev eth0", seen)
        self.assertIn("10.7.0.0/16 via 10.0.2.3 dev eth0", seen)
        self.assertRegex(seen, r"nameserver 10\.0\.2\.53\s+nameserver 10\.0\.2\.3\s")

    def test_no_cloud(self):
        """A drive with nothing but NoCloud's files does as well; no script is ignored."""
        data = base64.b64encode(b"#cloud-config\npackages: [x]\n").decode()
        private, public = self.key()
        keys = [{"name": "k", "type": "ssh", "public_key": public}]
        uuid = "44444444-4444-4444-8444-444444444444"
        given = told(uuid, user_data=data, keys=keys)
        drive = self.drive(given, "cidata")
        machine = self.start(new_disk(self.directory), drive)
        said = machine.until("USER-DATA")
        self.assertIn("CONFIG-DRIVE /dev/vdb cidata", said)
        self.assertIn("HOSTNAME web-one", said)
        self.assertIn("USER-DATA not a script: ignored", said)
        self.assertEqual("root\n", machine.ssh("id -un", "-i", private).stdout)


class WithoutDriveTests(BootTestCase):
    """No config drive: the metadata service, or nothing."""

    def test_service(self):
        """The metadata service tells as much."""
        private, public = self.key()
        pages = self.directory / "pages"
        latest = pages / "openstack" / "latest"
        content = pages / "openstack" / "content"
        latest.mkdir(parents=True)
        content.mkdir()
        meta = {
            "uuid": "55555555-5555-4555-8555-555555555555",
            "hostname": "served.example.org",
            "public_keys": {"k": f"{public}\n"},
            "files": [{"path": "/etc/greeting", "content_path": "/content/0000"}],
        }
        (latest / "meta_data.json").write_text(json.dumps(meta))
        (latest / "user_data").write_text(_RAN)
        (content / "0000").write_text("good evening\n")
        serving = self.directory / "serve"
        serving.write_text(_SERVE.format(python=sys.executable, pages=str(pages)))
        serving.chmod(0o700)
        network = ",net=169.254.0.0/16,dhcpstart=169.254.0.15"
        network += f",guestfwd=tcp:169.254.169.254:80-cmd:{serving}"
        machine = self.start(new_disk(self.directory), network=network)
        said = machine.until("USER-DATA exit=0")
        self.assertIn("METADATA http://169.254.169.254/openstack/latest", said)
        self.assertIn("HOSTNAME served", said)
        seen = machine.ssh("cat /etc/greeting /var/log/user-data.log", "-i", private)
        self.assertEqual("good evening\nuser data of served\n", seen.stdout)

    def test_nothing(self):
        """Where nobody tells it anything, and it has no NIC, it comes up all the same."""
        machine = self.start(new_disk(self.directory), wired=False)
        said = machine.until("READY")
        self.assertIn("HOSTNAME guest", said)
        machine.type("poweroff\n")
        self.assertEqual(0, machine.ended())

    def test_damaged(self):
        """A drive with nothing to understand on it keeps nobody from coming up."""
        drive = self.drive(told("66666666-6666-4666-8666-666666666666"))
        whole = drive.read_bytes()
        self.assertIn(b'{"uuid"', whole)
        drive.write_bytes(whole.replace(b'{"uuid"', b'["uuid"'))
        machine = self.start(new_disk(self.directory), drive)
        said = machine.until("READY")
        self.assertIn("CONFIG-DRIVE /dev/vdb", said)
        self.assertIn("HOSTNAME guest", said)


# An HTTP server for one connection, on standard input and output.
_SERVE = """\
#!{python} -IS
import sys
from pathlib import Path
path = sys.stdin.buffer.readline().split()[1].decode()
while sys.stdin.buffer.readline().strip():
    pass
page = Path("{pages}" + path)
found = page.is_file()
body = page.read_bytes() if found else b"not found"
status = "200 OK" if found else "404 Not Found"
head = f"HTTP/1.0 {{status}}\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n"
sys.stdout.buffer.write(head.encode() + body)
"""


def _file(path: str, content: str, mode: int) -> dict[str, Any]:
    contents = base64.b64encode(content.encode()).decode()
    return {
        "path": path,
        "contents": contents,
        "owner": "root",
        "group": "root",
        "mode": mode,
    }


def _interface() -> dict[str, Any]:
    address = {"prefix": 24, "gateway": None, "dhcp": True, "routes": [], "dns": []}
    return {
        "id": "77777777-7777-4777-8777-777777777777",
        "mac": "52:54:00:12:34:56",  # QEMU's own first one
        "mtu": 1400,
        "network_id": "n",
        "ips": [
            address | {"address": "10.0.2.15", "version": 4},
            address | {"address": "fd00::1", "version": 6, "prefix": 64},
        ],
    }


def _size_kib(seen: str) -> int:
    return int(seen.split("kib=")[1].split()[0])


def _host_key(seen: str) -> str:
    return next(line for line in seen.splitlines() if line.startswith("Fingerprint"))
