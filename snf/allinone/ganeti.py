"""A real Ganeti cluster of one node, in namespaces of its own.

Its hypervisors are KVM and Ganeti's fake one, which simulates running guests.
"""

import base64
import shutil
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from snf.allinone.certificate import self_signed
from snf.allinone.files import password, write
from snf.allinone.guest import QEMU, Guest
from snf.allinone.layout import Instance, Layout
from snf.allinone.namespace import BRIDGE, Namespace
from snf.allinone.process import Identity, run, stop_all, wait_for

CHECKOUT = Path(__file__).parents[2]
RAPI_USER = "cyclades"
_DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
_DAEMONS = ("noded", "confd", "wconfd", "rapi", "luxid")
"""In the order in which they are started; what else Ganeti has is not needed here."""

_HOOK = "snf-ganeti-hook.py"
_HOOKED = ("add", "start", "stop", "reboot", "modify", "remove")
_MIN = "cpu-count=1,disk-count=0,disk-size=1,memory-size=16,nic-count=0,spindle-use=1"
_MAX = (
    "cpu-count=8,disk-count=16,disk-size=1048576,memory-size=32768,"
    "nic-count=8,spindle-use=12"
)
_ALLOCATOR = "hail1"
_ALLOCATOR_TEXT = """\
#!/bin/sh
# hail refuses a cluster of one node unless told that this is meant.
exec /usr/lib/ganeti/iallocators/hail --no-capacity-checks "$1"
"""
_TEMPLATES = "file,sharedfile,diskless"


@frozen
class Ganeti:
    """The cluster.  ``guest`` is what its KVM instances boot."""

    layout: Layout
    instance: Instance
    guest: Guest

    @property
    def home(self) -> Path:
        """What the cluster keeps."""
        return self.layout / "ganeti"

    @property
    def data(self) -> Path:
        """Ganeti's /var/lib/ganeti."""
        return self.home / "var-lib"

    @property
    def spool(self) -> Path:
        """Where the hook leaves its messages."""
        return self.home / "spool"

    @property
    def rapi_url(self) -> str:
        """The remote API."""
        return f"https://{self.instance.node_address}:5080"

    @property
    def ca_file(self) -> Path:
        """What verifies the remote API's certificate: that very certificate."""
        return self.home / "rapi-ca.pem"

    @property
    def password_file(self) -> Path:
        """What the remote API's user logs in with."""
        return self.layout.secret("rapi")

    @property
    def namespace(self) -> Namespace:
        """Where it runs."""
        return Namespace(
            self.layout,
            self.instance,
            {
                "/etc/hosts": self.home / "hosts",
                "/etc/hostname": self.home / "hostname",
                "/etc/default/ganeti": self.home / "default-ganeti",
                "/etc/ganeti": self.home / "etc",
                "/etc/ssh": self.home / "ssh",
                "/root/.ssh": self.home / "root-ssh",
                "/var/lib/ganeti": self.data,
                "/var/log/ganeti": self.home / "log",
                "/srv/ganeti": self.home / "srv",
                "/usr/local/lib/ganeti": self.home / "local-lib",
                "/run/lock": self.home / "lock",
                "/var/spool/snf-eventd": self.spool,
            },
        )

    def up(self, kvm: bool) -> bool:
        """
        Have the cluster answer its remote API; return whether anything was started.

        ``kvm`` is whether hardware KVM is to be used.

        :raises Failure: It does not come up.
        """
        initialized = self.home / "initialized"
        if not initialized.exists():
            # Ganeti refuses the remains of an attempt that failed half way.
            self.namespace.down()
            shutil.rmtree(self.data, ignore_errors=True)
        self._files()
        started = self.namespace.up()
        if not initialized.exists():
            self._initialize(kvm)
            self._certificate()
            initialized.touch()
        dead = [name for name in _DAEMONS if self.pid(name) is None]
        for name in dead:
            self._start(name)
        wait_for(self.answers, "Ganeti", 40, log=self.home / "log")
        return started or bool(dead)

    def use_hardware(self) -> None:
        """Let guests use hardware KVM from their next start on."""
        command = ["gnt-cluster", "modify", "-H", "kvm:kvm_flag=enabled"]
        self.namespace.run("Ganeti: enabling KVM", command)

    def down(self) -> bool:
        """Stop guests and daemons; return whether any ran."""
        if self.namespace.holder.pid() is not None:
            guests = self.namespace.path("/run/ganeti/kvm-hypervisor/pid")
            pids = [int(text) for path in _files_of(guests) if (text := _digits(path))]
            stop_all([pid for pid in pids if self.namespace.holds(pid)], 3)
        return self.namespace.down()

    def pid(self, name: str) -> int | None:
        """Return the pid of one of Ganeti's daemons; None when it does not run."""
        if self.namespace.holder.pid() is None:
            return None
        text = _digits(self.namespace.path(f"/run/ganeti/ganeti-{name}.pid"))
        pid = int(text) if text else None
        if pid is None or Identity.of(pid) is None or not self.namespace.holds(pid):
            return None
        return pid

    def addresses(self) -> list[tuple[str, str]]:
        """Return the daemons, and where those listen that clients talk to."""
        return [(name, self.rapi_url if name == "rapi" else "") for name in _DAEMONS]

    def answers(self) -> bool:
        """Return whether the remote API serves our user, over verified TLS."""
        credentials = f"{RAPI_USER}:{self.password_file.read_text().strip()}"
        request = urllib.request.Request(f"{self.rapi_url}/2/info")
        encoded = base64.b64encode(credentials.encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
        context = ssl.create_default_context(cafile=str(self.ca_file))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context),
        )
        try:
            with opener.open(request, timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def _start(self, name: str) -> None:
        # start-stop-daemon refuses to judge a pid file that another user left.
        self.namespace.path(f"/run/ganeti/ganeti-{name}.pid").unlink(missing_ok=True)
        command = [_DAEMON_UTIL, "start", f"ganeti-{name}"]
        self.namespace.run(f"Ganeti: starting {name}", command)

    def _initialize(self, kvm: bool) -> None:
        hypervisor = {
            "kvm_path": QEMU,  # Debian's /usr/bin/kvm would add -enable-kvm
            "kvm_flag": "enabled" if kvm else "disabled",
            "vnc_bind_address": "127.0.0.1",
            "serial_console": "true",
            "acpi": "true",
            "vhost_net": "false",
            "security_model": "none",
            "kernel_path": str(self.guest.kernel),
            "initrd_path": str(self.guest.ramdisk),
            "root_path": "/dev/ram0",
            "kernel_args": "ro quiet",
        }
        parameters = ",".join(f"{key}={value}" for key, value in hypervisor.items())
        command = ["gnt-cluster", "init", "--enabled-hypervisors=kvm,fake"]
        command += ["-H", f"kvm:{parameters}"]
        command += [f"--enabled-disk-templates={_TEMPLATES}"]
        command += [f"--ipolicy-disk-templates={_TEMPLATES}"]
        command += [f"--ipolicy-bounds-specs=min:{_MIN}/max:{_MAX}"]
        command += ["--ipolicy-vcpu-ratio=64", "--ipolicy-spindle-ratio=64"]
        command += ["--file-storage-dir=/srv/ganeti/file-storage"]
        command += ["--shared-file-storage-dir=/srv/ganeti/shared-file-storage"]
        command += ["--no-ssh-init", "--no-etc-hosts", "--primary-ip-version=4"]
        command += [f"--master-netdev={BRIDGE}", "--master-netmask=32"]
        command += [f"--nic-parameters=mode=bridged,link={BRIDGE}"]
        command += [f"--mac-prefix=aa:00:{self.instance.octet:02x}"]
        command += [f"--default-iallocator={_ALLOCATOR}", "-B", "memory=128M,vcpus=1"]
        command += [self.instance.cluster_name]
        self.namespace.run("Ganeti: gnt-cluster init", command, timeout_s=120)

    def _files(self) -> None:
        """Write what Ganeti finds inside; what is there already stays."""
        for name in (
            *("etc/hooks", "ssh", "root-ssh", "var-lib/rapi", "log", "lock", "spool"),
            *("srv/os", "srv/file-storage", "srv/shared-file-storage", "srv/export"),
            "local-lib/iallocators",
        ):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        (self.home / "root-ssh").chmod(0o700)
        self._etc()
        users = self.data / "rapi" / "users"
        text = f"{RAPI_USER} {password(self.password_file)} write\n"
        if not users.exists() or users.read_text() != text:
            write(users, text, 0o640)
        shutil.chown(users, "gnt-rapi", "gnt-masterd")
        key = self.home / "ssh" / "ssh_host_rsa_key"
        if not key.exists():
            making = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", ""]
            run([*making, "-f", str(key)], self.layout.log, "making the SSH key")

    def _etc(self) -> None:
        instance, etc = self.instance, self.home / "etc"
        for name, target in (
            ("lib", "/usr/lib/ganeti/default"),
            ("share", "/usr/share/ganeti/default"),
        ):
            if not (etc / name).is_symlink():
                (etc / name).symlink_to(Path(target).resolve())
        files = {
            "hosts": "127.0.0.1 localhost\n"
            f"{instance.node_address} {instance.node_name} node1\n"
            f"{instance.cluster_address} {instance.cluster_name} cluster\n",
            "hostname": f"{instance.node_name}\n",
            "default-ganeti": _default_ganeti(str(instance.node_address)),
            "etc/file-storage-paths": "/srv/ganeti/file-storage\n"
            "/srv/ganeti/shared-file-storage\n",
        }
        for name, text in files.items():
            # In place: what is mounted is this very file, not its name.
            (self.home / name).write_text(text)
        allocator = self.home / "local-lib" / "iallocators" / _ALLOCATOR
        write(allocator, _ALLOCATOR_TEXT, 0o755)
        shutil.copytree(
            CHECKOUT / "ganeti" / "os" / "cyclades",
            self.home / "srv" / "os" / "cyclades",
            dirs_exist_ok=True,
        )
        self._hooks()

    def _hooks(self) -> None:
        source = CHECKOUT / "ganeti" / "hooks" / _HOOK
        if not source.exists():
            return
        for event in _HOOKED:
            directory = self.home / "etc" / "hooks" / f"instance-{event}-post.d"
            directory.mkdir(exist_ok=True)
            # Names with a dot are not run as hooks.
            target = directory / "50-snf-ganeti-hook"
            write(target, source.read_text("utf-8"), 0o755)

    def _certificate(self) -> None:
        """Replace the certificate that Ganeti made; it refuses to find one before."""
        served = self.data / "rapi.pem"
        addresses = [self.instance.node_address, self.instance.cluster_address]
        key, certificate = self_signed(self.instance.cluster_name, addresses)
        write(served, key + certificate, 0o640)
        shutil.chown(served, "gnt-rapi", "gnt-masterd")
        write(self.ca_file, certificate)
        pid = self.pid("rapi")
        stop_all([pid] if pid else [], 10)


def _default_ganeti(address: str) -> str:
    """Return /etc/default/ganeti: every daemon on the node's address alone."""
    return (
        f'NODED_ARGS="-b {address}"\n'
        f'RAPI_ARGS="-b {address} --require-authentication"\n'
        f'CONFD_ARGS="-b {address}"\n'
        f'MOND_ARGS="-b {address}"\n'
        'WCONFD_ARGS=""\nLUXID_ARGS=""\nKVMD_ARGS=""\n'
    )


def _files_of(directory: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in directory.iterdir() if path.is_file()]
    return []


def _digits(path: Path) -> str:
    with suppress(OSError):
        text = path.read_text().strip()
        return text if text.isdigit() else ""
    return ""
