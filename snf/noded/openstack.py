"""``/openstack``: the files of OpenStack's metadata service (nova/api/metadata/base.py)."""

import base64
from collections.abc import Callable, Mapping
from ipaddress import ip_interface, ip_network
from typing import Any

import orjson

from snf.noded.guest import Address, Guest, Known

VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "latest",
)
"""Nova's; all have the same here, but for the files that a version had not yet."""

PASSWORD = "password"

# What there is in a version, and since when.
_FILES: Mapping[str, str] = {
    "meta_data.json": "2012-08-10",
    "user_data": "2012-08-10",
    PASSWORD: "2013-04-04",
    "vendor_data.json": "2013-10-17",
    "network_data.json": "2015-10-15",
    "vendor_data2.json": "2016-10-06",
}


def tree(known: Known) -> dict[str, Any]:
    """Return all of it: files, or what makes them, by their names."""
    files = _files(known)
    return {
        version: {
            name: content
            for name, content in files.items()
            if version == "latest" or version >= _FILES[name]
        }
        for version in VERSIONS
    }


def _files(known: Known) -> dict[str, Callable[[], bytes]]:
    guest = known.guest
    found: dict[str, Callable[[], bytes]] = {
        "meta_data.json": lambda: orjson.dumps(meta_data(known)),
        PASSWORD: guest.password.encode,
        "vendor_data.json": lambda: b"{}",
        "vendor_data2.json": lambda: b"{}",
        "network_data.json": lambda: orjson.dumps(network_data(guest)),
    }
    if guest.user_data:
        found["user_data"] = lambda: guest.raw_user_data
    return found


def meta_data(known: Known) -> dict[str, Any]:
    """Return what ``meta_data.json`` says."""
    guest = known.guest
    return {
        "uuid": guest.uuid,
        "name": guest.name,
        "hostname": guest.hostname,
        "launch_index": guest.launch_index,
        "availability_zone": guest.availability_zone,
        "project_id": guest.project_id,
        "meta": guest.metadata,
        "keys": [
            {"name": key.name, "type": key.type, "data": key.public_key}
            for key in guest.keys
        ],
        "public_keys": {key.name: f"{key.public_key}\n" for key in guest.ssh_keys},
        "devices": [],
        "dedicated_cpus": [],
        "random_seed": base64.b64encode(known.seed).decode(),
    }


def network_data(guest: Guest) -> dict[str, Any]:
    """Return what ``network_data.json`` says (nova/virt/netutils.py)."""
    networks: list[dict[str, Any]] = []
    servers: list[str] = []
    for nic in guest.interfaces:
        for address in nic.ips:
            servers += [] if address.dhcp else address.dns
            networks.append(
                {
                    "id": f"network{len(networks)}",
                    "link": nic.id,
                    "network_id": nic.network_id,
                    **_network(address),
                }
            )
    return {
        "links": [
            {
                "id": nic.id,
                "vif_id": nic.id,
                "type": "phy",
                "mtu": nic.mtu,
                "ethernet_mac_address": nic.mac,
            }
            for nic in guest.interfaces
        ],
        "networks": networks,
        "services": [
            {"type": "dns", "address": server} for server in dict.fromkeys(servers)
        ],
    }


def _network(address: Address) -> dict[str, Any]:
    if address.dhcp:
        # Of IPv6 routers say how a guest makes its address.
        return {"type": "ipv4_dhcp" if address.version == 4 else "ipv6_slaac"}
    ways = [(one.destination, one.nexthop) for one in address.routes]
    if address.gateway:
        everywhere = "0.0.0.0/0" if address.version == 4 else "::/0"
        ways.insert(0, (everywhere, address.gateway))
    return {
        "type": f"ipv{address.version}",
        "ip_address": address.address,
        "netmask": str(ip_interface(f"{address.address}/{address.prefix}").netmask),
        "routes": [
            {
                "network": str(ip_network(to).network_address),
                "netmask": str(ip_network(to).netmask),
                "gateway": via,
            }
            for to, via in ways
        ],
        "services": [{"type": "dns", "address": server} for server in address.dns],
    }
