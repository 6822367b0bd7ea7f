"""A real Ganeti cluster of one node or several, each in namespaces of its own.

Its hypervisors are KVM and Ganeti's fake one, which simulates running guests.
"""

import base64
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from attrs import frozen

from snf.allinone import settings
from snf.allinone.bridge import BRIDGE
from snf.allinone.certificate import self_signed
from snf.allinone.files import password, write
from snf.allinone.guest import Guest
from snf.allinone.layout import Instance, Layout
from snf.allinone.machine import CACHE, DAEMONS, IMAGES, OF_GUESTS, Machine
from snf.allinone.process import run, wait_for
from snf.allinone.screens import ANYWHERE, show_screens, shut
from snf.allinone.scripts import ALLOCATOR, QEMU, Scripts
from snf.allinone.switch import Switch

RAPI_USER = "cyclades"
_MIN = "cpu-count=1,disk-count=0,disk-size=1,memory-size=16,nic-count=0,spindle-use=1"
_MAX = (
    "cpu-count=8,disk-count=16,disk-size=1048576,memory-size=32768,"
    "nic-count=8,spindle-use=12"
)
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
    def machines(self) -> tuple[Machine, ...]:
        """The nodes' machines."""
        return tuple(Machine(self.layout, node) for node in self.instance.nodes)

    @property
    def switch(self) -> Switch:
        """What connects them."""
        return Switch(self.layout, self.instance)

    @property
    def master(self) -> Machine:
        """The machine that is the master."""
        masters = [machine for machine in self.machines if machine.is_master]
        return masters[0] if masters else self.machines[0]

    @property
    def rapi_url(self) -> str:
        """The remote API, on whichever node is the master."""
        return f"https://{self.instance.cluster_address}:5080"

    @property
    def ca_file(self) -> Path:
        """What verifies the remote API's certificate: that very certificate."""
        return self.home / "rapi-ca.pem"

    @property
    def password_file(self) -> Path:
        """What the remote API's user logs in with."""
        return self.layout.secret("rapi")

    def up(self, kvm: bool) -> bool:
        """
        Have the cluster answer its remote API; return whether anything was started.

        ``kvm`` is whether hardware KVM is to be used.

        :raises Failure: It does not come up.
        """
        initialized = self.home / "initialized"
        if not initialized.exists():
            # Ganeti refuses the remains of an attempt that failed half way.
            for machine in self.machines:
                machine.namespace.down()
                shutil.rmtree(machine.data, ignore_errors=True)
        self._files()
        self.switch.up()
        started = [machine.namespace.up() for machine in self.machines]
        for machine in self.machines:
            self.switch.plug(machine.node, machine.namespace.bridge)
            shut(machine, self.instance.network)
        if self._several:
            started += [machine.sshd.start() for machine in self.machines]
        if not initialized.exists():
            self._initialize(kvm)
            self._certificate()
            for machine in self.machines[1:]:
                self._add(machine)
            for machine in self.machines:
                machine.stop(OF_GUESTS)  # started by Ganeti, in a way of its own
            initialized.touch()
        self.master.namespace.claim(self.instance.cluster_address)
        started += [self._start(name) for name in DAEMONS]
        wait_for(self.answers, "Ganeti", 40, log=self.home / "log")
        show_screens(self.master, self.home / "screens")
        return any(started)

    def use_hardware(self) -> None:
        """Let guests use hardware KVM from their next start on."""
        command = ["gnt-cluster", "modify", "-H", "kvm:kvm_flag=enabled"]
        self.master.namespace.run("Ganeti: enabling KVM", command)

    def down(self) -> bool:
        """Stop guests and daemons; return whether any ran."""
        ran = [machine.down() for machine in self.machines]
        self.switch.down()
        return any(ran)

    def parts(self) -> list[tuple[str, int | None, str]]:
        """Return the name, the pid and the address of each daemon."""
        found: list[tuple[str, int | None, str]] = []
        for machine in self.machines:
            node = f" {machine.node.short_name}" if self._several else ""
            for name in machine.daemons:
                address = self.rapi_url if name == "rapi" else ""
                found.append((f"Ganeti{node} {name}", machine.pid(name), address))
            if self._several:
                found.append((f"Ganeti{node} sshd", machine.sshd.pid(), ""))
        return found

    @property
    def _several(self) -> bool:
        return len(self.machines) > 1

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

    def _start(self, name: str) -> bool:
        """Start a daemon where it ought to run and does not; return if anywhere."""
        dead = [
            machine
            for machine in self.machines
            if name in machine.daemons and machine.pid(name) is None
        ]
        for machine in dead:
            machine.start(name)
        return bool(dead)

    def _add(self, machine: Machine) -> None:
        """Make another machine a node."""
        name, address = machine.node.name, str(machine.node.address)
        wait_for(lambda: _listens(address, 22), f"{name}'s sshd", 10)
        command = ["gnt-node", "add", "--no-ssh-key-check", name]
        self.master.namespace.run(f"Ganeti: adding {name}", command, timeout_s=120)

    def _initialize(self, kvm: bool) -> None:
        hypervisor = {
            "kvm_path": QEMU,
            "kvm_flag": "enabled" if kvm else "disabled",
            # The nodes' own rules let in none but the API.
            "vnc_bind_address": ANYWHERE,
            "serial_console": "true",
            "acpi": "true",
            "migration_downtime": "300",  # ms; an emulated CPU does not do it in 30
            "migration_bandwidth": "1000",  # MiB/s
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
        command += [f"--default-iallocator={ALLOCATOR}", "-B", "memory=128M,vcpus=1"]
        command += [self.instance.cluster_name]
        namespace = self.master.namespace
        namespace.run("Ganeti: gnt-cluster init", command, timeout_s=120)

    def _files(self) -> None:
        """Write what Ganeti finds inside; what is there already stays."""
        for name in ("etc", "ssh", "root-ssh", "local-lib"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        (self.home / "root-ssh").chmod(0o700)
        text = f"{RAPI_USER} {password(self.password_file)} write\n"
        for machine in self.machines:
            machine.files()
            users = machine.data / "rapi" / "users"
            if not users.exists() or users.read_text() != text:
                write(users, text, 0o640)
            shutil.chown(users, "gnt-rapi", "gnt-masterd")
        self._etc()
        self._key(self.home / "ssh" / "ssh_host_rsa_key")
        if self._several:
            own = self._key(self.home / "root-ssh" / "id_rsa")
            write(own.with_name("authorized_keys"), own.read_text())
            # Where sshd goes before it knows who is there; Debian's service makes it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def _key(self, path: Path) -> Path:
        """Have an SSH key; return where its public part is."""
        if not path.exists():
            making = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", ""]
            run([*making, "-f", str(path)], self.layout.log, "making an SSH key")
        return path.with_suffix(".pub")

    def _etc(self) -> None:
        instance, etc = self.instance, self.home / "etc"
        for name, target in (
            ("lib", "/usr/lib/ganeti/default"),
            ("share", "/usr/share/ganeti/default"),
        ):
            if not (etc / name).is_symlink():
                (etc / name).symlink_to(Path(target).resolve())
        nodes = [f"{one.address} {one.name} {one.short_name}" for one in instance.nodes]
        cluster = f"{instance.cluster_address} {instance.cluster_name} cluster"
        storage = ("/srv/ganeti/file-storage", "/srv/ganeti/shared-file-storage")
        for name, lines in (
            ("hosts", ("127.0.0.1 localhost", *nodes, cluster)),
            ("etc/file-storage-paths", storage),
        ):
            # In place: what is mounted is this very file, not its name.
            (self.home / name).write_text("".join(f"{line}\n" for line in lines))
        write(etc / "snf-os.toml", settings.nodes_os(images=IMAGES, cache=CACHE), 0o644)
        Scripts(self.home).install()

    def _certificate(self) -> None:
        """Replace the certificate that Ganeti made; it refuses to find one before."""
        served = self.master.data / "rapi.pem"
        addresses = [node.address for node in self.instance.nodes]
        addresses.append(self.instance.cluster_address)
        key, certificate = self_signed(self.instance.cluster_name, addresses)
        write(served, key + certificate, 0o640)
        shutil.chown(served, "gnt-rapi", "gnt-masterd")
        write(self.ca_file, certificate)
        self.master.stop("rapi")


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
