"""Has cloud-init's own code ask the metadata service, and prints as JSON what it got.

Run by test_metadata with Debian's Python, with cloud-init unpacked on the path, in the
namespace of a guest.
"""

import json
import sys
from pathlib import Path

from cloudinit import distros, helpers, util
from cloudinit.sources import DataSourceOpenStack

URL = "http://169.254.169.254"


def main(work):
    """Print what the data source finds."""
    # It asks the machine's DMI first whether it is one of OpenStack's, and this is none.
    DataSourceOpenStack.detect_openstack = lambda **options: True
    DataSourceOpenStack.DataSourceOpenStack.ds_detect = lambda self: True
    paths = helpers.Paths({"cloud_dir": f"{work}/cloud", "run_dir": f"{work}/run"})
    for made in (paths.get_cpath("data"), paths.run_dir):
        Path(made).mkdir(parents=True, exist_ok=True)
    settings = {
        "datasource_list": ["OpenStack"],
        "datasource": {"OpenStack": {"metadata_urls": [URL], "max_wait": 10}},
    }
    distro = distros.fetch("debian")("debian", {}, paths)
    found = DataSourceOpenStack.DataSourceOpenStack(settings, distro, paths)
    if not found.get_data():
        raise SystemExit("there is none")
    told = {
        "id": found.get_instance_id(),
        "hostname": str(found.get_hostname()),
        "keys": found.get_public_ssh_keys(),
        "user_data": util.decode_binary(found.get_userdata_raw()),
        "meta": found.metadata["meta"],
        "networks": found.network_json["networks"],
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
