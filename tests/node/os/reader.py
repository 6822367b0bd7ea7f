"""Has cloud-init's own code read a config drive, and prints as JSON what it made of it.

Run by test_cloud_init with Debian's Python, with cloud-init unpacked on the path.
"""

import inspect
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from cloudinit import distros, helpers, util
from cloudinit.config import cc_set_passwords
from cloudinit.config.schema import get_schema, validate_cloudconfig_schema
from cloudinit.net import eni
from cloudinit.net.network_state import parse_net_config_data
from cloudinit.sources.DataSourceConfigDrive import DataSourceConfigDrive
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud

SOURCES = {
    "ConfigDrive": ("config_drive", DataSourceConfigDrive),
    "NoCloud": ("nocloud", DataSourceNoCloud),
}


def main(name, drive, work, macs):
    """Print what one of cloud-init's data sources finds."""
    folder, source = SOURCES[name]
    paths = helpers.Paths({"cloud_dir": f"{work}/cloud", "run_dir": f"{work}/run"})
    shutil.copytree(drive, Path(paths.seed_dir) / folder)
    for made in (paths.get_cpath("data"), paths.run_dir):
        Path(made).mkdir(parents=True, exist_ok=True)
    whose = {"default_user": {"name": "debian"}}
    distro = distros.fetch("debian")("debian", whose, paths)
    found = source({"datasource_list": [name]}, distro, paths)
    if not found.get_data():
        raise SystemExit("it is none")
    found.known_macs = {mac: f"ens{at + 3}" for at, mac in enumerate(macs)}
    user_data = found.get_userdata_raw()
    told = {
        "id": found.get_instance_id(),
        "hostname": str(found.get_hostname()),
        "keys": found.get_public_ssh_keys(),
        "user_data": util.decode_binary(user_data),
        "parts": [
            (part.get_content_type(), util.decode_binary(part.get_payload(decode=True)))
            for part in found.get_vendordata().walk()
            if not part.is_multipart()
        ],
    }
    told["passwords"] = _passwords(told["parts"], distro)
    told["complaints"] = _scripts(told["parts"])
    told["interfaces"] = _interfaces(found.network_config, work)
    sys.stdout.write(f"{json.dumps(told)}\n")


def _passwords(parts, distro):
    """Return whose password is set to what, with cloud-init's own module for it."""
    set_to = []
    distro.chpasswd = lambda pairs, hashed: set_to.append((hashed, pairs))
    distro.manage_service = lambda *arguments: None
    for kind, text in parts:
        if kind == "text/cloud-config":
            config = util.load_yaml(text)
            validate_cloudconfig_schema(config, get_schema(), strict=True)
            config["users"] = ["default", {"name": "admin"}]
            config["ssh_pwauth"] = "unchanged"
            cloud = type("Cloud", (), {"distro": distro})
            given = ["set-passwords", config, cloud, logging.getLogger(), []]
            if "log" not in inspect.signature(cc_set_passwords.handle).parameters:
                given.pop(3)  # since cloud-init 23
            cc_set_passwords.handle(*given)
    return set_to


def _scripts(parts):
    """Run the scripts; return what they complain of."""
    return [
        subprocess.run(
            ["/bin/sh"], input=text, capture_output=True, text=True, check=True
        ).stderr
        for kind, text in parts
        if kind == "text/x-shellscript"
    ]


def _interfaces(config, work):
    """Return Debian's file of interfaces, as cloud-init writes it."""
    target = f"{work}/target"
    state = parse_net_config_data(config)
    eni.Renderer({}).render_network_state(state, target=target)
    return Path(target, "etc/network/interfaces").read_text()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
