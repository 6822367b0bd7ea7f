"""What is on the config drive: files by path.

ConfigDrive version 2 as OpenStack's Nova lays it out (nova/api/metadata/base.py), and
beside it the files of cloud-init's NoCloud, for whoever reads those.
"""

import base64
import json
import os

import vendor
import wiring
from yamlish import dumps

VERSIONS = ("2018-08-27", "latest")
"""The newest that cloud-init knows, and the one that everybody else reads."""


def files(guest):
    """Return the contents of all files by their paths."""
    found = {}
    network = _json(wiring.network_data(guest.interfaces))
    told = vendor.data(guest)
    for version in VERSIONS:
        folder = f"openstack/{version}"
        found[f"{folder}/meta_data.json"] = _json(_meta_data(guest))
        found[f"{folder}/network_data.json"] = network
        found[f"{folder}/vendor_data.json"] = _json(
            {"cloud-init": told} if told else {}
        )
        if guest.user_data:
            found[f"{folder}/user_data"] = guest.user_data
    for at, file in enumerate(guest.files):
        found[f"openstack/content/{at:04}"] = file.contents
    found["ec2/latest/meta-data.json"] = _json(_ec2(guest))
    if guest.user_data:
        found["ec2/latest/user-data"] = guest.user_data
    found["meta-data"] = _no_cloud(guest).encode()
    found["user-data"] = guest.user_data
    found["vendor-data"] = told.encode()
    found["network-config"] = f"{dumps(wiring.netplan(guest.interfaces))}\n".encode()
    return found


def _meta_data(guest):
    meta = {
        "uuid": guest.uuid,
        "name": guest.name,
        "hostname": guest.hostname,
        "launch_index": 0,
        "availability_zone": guest.availability_zone,
        "project_id": guest.project_id,
        "meta": guest.metadata,
        "keys": [
            {"name": key.name, "type": key.kind, "data": key.public}
            for key in guest.keys
        ],
        "public_keys": {key.name: f"{key.public}\n" for key in _ssh(guest)},
        "files": [
            {"path": file.path, "content_path": f"/content/{at:04}"}
            for at, file in enumerate(guest.files)
        ],
        "devices": [],
        "random_seed": base64.b64encode(os.urandom(512)).decode(),
    }
    if guest.admin_pass:
        meta["admin_pass"] = guest.admin_pass
    return meta


def _ec2(guest):
    return {
        "instance-id": guest.uuid,
        "hostname": guest.hostname,
        "local-hostname": guest.hostname,
        "placement": {"availability-zone": guest.availability_zone},
        "public-keys": {
            str(at): {"_name": f"{at}={key.name}", "openssh-key": key.public}
            for at, key in enumerate(_ssh(guest))
        },
    }


def _no_cloud(guest):
    """Return a mapping a line, so that a shell can read it as well."""
    values = {
        "instance-id": guest.uuid,
        "local-hostname": guest.hostname,
        "public-keys": [key.public for key in _ssh(guest)],
    }
    return "".join(f"{key}: {dumps(value)}\n" for key, value in values.items())


def _ssh(guest):
    return [key for key in guest.keys if key.kind == "ssh"]


def _json(value):
    return json.dumps(value).encode()
