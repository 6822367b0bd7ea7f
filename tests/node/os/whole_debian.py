"""A whole Debian with cloud-init, made into an image here, booted from what we wrote.

It takes some minutes, and downloads a release's packages, so it runs only when it is named:

    apt-get install debootstrap extlinux openssh-client qemu-system-x86
    .venv/bin/trial tests.node.os.whole_debian

``CYCLADES_TEST_DEBIAN`` may name a directory that debootstrap has filled already.
"""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.node.os.case import GUEST, MIB, PASSWORD, OsTestCase, packed, run, tool
from tests.node.os.test_drive import file

RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "sudo", "iproute2", "netplan.io", "e2fsprogs"),
    *("linux-image-cloud-amd64", "openssh-server", "cloud-init", "cloud-guest-utils"),
)
ADDRESS = "10.0.2.99"
MAC = "52:54:00:12:34:56"
NIC = {
    "id": "4c0a8f8e-7a0c-4c57-9d1f-000000000003",
    "mac": MAC,
    "mtu": 1400,
    "network_id": "1b0a8f8e-7a0c-4c57-9d1f-000000000003",
    "ips": [
        {
            "address": ADDRESS,
            "prefix": 24,
            "gateway": "10.0.2.2",
            "dhcp": False,
            "version": 4,
            "routes": [],
            "dns": ["10.0.2.3"],
        }
    ],
}
_SCRIPT = b"#!/bin/sh\necho ran as $(id -un) >/root/ran\n"
_BOOT_TIMEOUT_S = 1200
_START_SECTOR = 2048
_EXTLINUX = """\
DEFAULT linux
LABEL linux
LINUX /vmlinuz
INITRD /initrd.img
APPEND root=/dev/vda1 ro console=ttyS0 net.ifnames=0
"""


class DebianTests(OsTestCase):
    """What a user finds in the guest."""

    def test_booted(self) -> None:
        """Key, name, password, files, user data and address are the server's own."""
        self.system = self.disk("large", 3072 * MIB)
        self.settings["convert"] = {}
        image = self.image_of(self.root())
        public, private = self.key()
        files = [file("/srv/told/here", b"by the cloud\n", owner="daemon", mode=0o640)]
        guest = {
            **GUEST,
            "keys": [{"name": "mine", "type": "ssh", "public_key": public}],
            "user_data": file("", _SCRIPT)["contents"],
            "personality": files,
            "interfaces": [NIC],
        }
        self.create(**self.share(image, "qcow2"), guest=packed(guest))
        port = self.boot()
        said = self.ask(private, port, "sudo cloud-init status --wait --long; hostname")
        self.assertIn("status: done", said)
        self.assertEqual("web", said.splitlines()[-1])
        for command, words in (
            ("sudo cat /srv/told/here", "by the cloud"),
            ("sudo stat -c '%U %G %a' /srv/told/here", "daemon root 640"),
            ("sudo cat /root/ran", "ran as root"),
            ("ip -4 -br addr show eth0", f"{ADDRESS}/24"),
            ("ip route", "default via 10.0.2.2 dev eth0"),
            ("cat /sys/class/net/eth0/mtu", "1400"),
            ("cloud-init query platform", "configdrive"),
            ("sudo cloud-init query ds.meta_data.meta.role", "front"),
        ):
            said = self.ask(private, port, command)
            self.assertIn(words, said, f"{command}: {said}")
        # The partition reaches the disk's end, and the file system the partition's.
        size = int(self.ask(private, port, "df -B1 --output=size / | tail -1"))
        self.assertGreater(size, 2800 * MIB)
        shadow = self.ask(private, port, "sudo getent shadow debian").split(":")[1]
        crypt = ctypes.CDLL("libcrypt.so.1").crypt
        crypt.restype = ctypes.c_char_p
        self.assertEqual(shadow.encode(), crypt(PASSWORD.encode(), shadow.encode()))

    def root(self) -> Path:
        """Return a directory with Debian in it."""
        if "CYCLADES_TEST_DEBIAN" in os.environ:
            return Path(os.environ["CYCLADES_TEST_DEBIAN"])
        target = self.home / "debian"
        self.addCleanup(shutil.rmtree, target)
        run(tool("debootstrap"), "--variant=minbase", RELEASE, str(target), MIRROR)
        policy = target / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # nothing starts in there
        policy.chmod(0o755)
        command = "apt-get -q update && apt-get -qy --no-install-recommends install"
        environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        environment.append("DEBIAN_FRONTEND=noninteractive")
        run(
            *("env", "-i", *environment, "chroot", str(target)),
            *("sh", "-c", f"{command} {' '.join(PACKAGES)}"),
        )
        policy.unlink()
        return target

    def image_of(self, root: Path) -> Path:
        """Return a qcow2 that boots what is in a directory, by BIOS."""
        raw = self.home / "debian.raw"
        with raw.open("wb") as disk:
            disk.truncate(2048 * MIB)
        table = f"label: dos\nstart={_START_SECTOR}, type=83, bootable\n"
        run(tool("sfdisk"), "-q", str(raw), text=table)
        with raw.open("r+b") as disk:
            disk.write(Path("/usr/lib/EXTLINUX/mbr.bin").read_bytes()[:440])
        offset = str(_START_SECTOR * 512)
        command = ["losetup", "--find", "--show", "--offset", offset, str(raw)]
        device = run(*command).strip()
        place = self.home / "mounted"
        place.mkdir()
        try:
            # What extlinux can read.
            features = "^64bit,^metadata_csum"
            options = ["-q", "-O", features, "-d", str(root), device]
            run(tool("mkfs.ext4"), *options)
            run("mount", device, str(place))
            try:
                self._made_bootable(place)
            finally:
                run("umount", str(place))
        finally:
            run("losetup", "-d", device)
        image = self.home / "debian.qcow2"
        run("qemu-img", "convert", "-O", "qcow2", str(raw), str(image))
        raw.unlink()
        return image

    def _made_bootable(self, place: Path) -> None:
        run(tool("extlinux"), "--install", str(place))
        (place / "extlinux.conf").write_text(_EXTLINUX)
        (place / "etc/fstab").write_text("/dev/vda1 / ext4 errors=remount-ro 0 1\n")
        # There are no others in so small a Debian.
        own = place / "etc/cloud/cloud.cfg.d/90_image.cfg"
        own.write_text("locale: C.UTF-8\n")
        (place / "etc/machine-id").write_text("")
        for key in (place / "etc/ssh").glob("ssh_host_*"):
            key.unlink()

    def key(self) -> tuple[str, Path]:
        """Return a public key, and the file of the private one."""
        private = self.home / "key"
        run(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(private))
        return private.with_suffix(".pub").read_text().strip(), private

    def boot(self) -> int:
        """Start the guest; return where its SSH is to be had on 127.0.0.1."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        forward = f"hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:22"
        command = [tool("qemu-system-x86_64"), "-m", "512", "-accel", "tcg"]
        command += ["-display", "none", "-serial", f"file:{self.home}/console"]
        command += ["-netdev", f"user,id=net,restrict=on,{forward}"]
        command += ["-device", f"virtio-net-pci,netdev=net,mac={MAC}"]
        for disk in (self.system, self.drive):
            command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
        guest = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.addCleanup(guest.wait)
        self.addCleanup(guest.kill)
        return port

    def ask(self, private: Path, port: int, command: str) -> str:
        """Return what a command prints in the guest, as soon as that lets us in."""
        argv = [tool("ssh"), "-i", str(private), "-p", str(port), "-o", "BatchMode=yes"]
        argv += ["-o", "StrictHostKeyChecking=no", "-o", "ConnectTimeout=30"]
        argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        end = time.monotonic() + _BOOT_TIMEOUT_S
        while True:
            done = subprocess.run(
                [*argv, "debian@127.0.0.1", command],
                capture_output=True,
                text=True,
                timeout=_BOOT_TIMEOUT_S,
                check=False,
            )
            if done.returncode != 255:
                return done.stdout.strip()
            if time.monotonic() > end:
                console = (
                    (self.home / "console").read_bytes().decode("utf-8", "replace")
                )
                tail = re.sub(r"[^\x20-\x7e\n]", "", console)[-6000:]
                raise AssertionError(f"{done.stderr}\n{tail}")
            time.sleep(2)
