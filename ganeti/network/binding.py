"""The file that tells nfdhcpd what to answer on a tap."""

import os
from pathlib import Path

import metadata
from nic import DHCP


def write(nic, directory, mac_of_bridge=""):
    """Write the file of a NIC if its network has anything to be answered, by rename."""
    path = Path(directory) / nic.tap
    if DHCP not in nic.network_tags:
        remove(nic, directory)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{nic.tap}.new")
    new.write_text(text(nic), "utf-8")
    new.chmod(0o644)  # whoever nfdhcpd is; Ganeti's daemons let nobody else read
    os.rename(new, path)


def remove(nic, directory):
    """Remove the file of a NIC, if it has one."""
    (Path(directory) / nic.tap).unlink(missing_ok=True)


def text(nic):
    """Return what the file says; what is empty is left out."""
    environment = nic.environment
    values = {
        "INDEV": nic.tap if nic.routed else nic.link,
        "IP": nic.address if nic.leased else "",
        "MAC": nic.mac,
        "HOSTNAME": nic.instance,
        "TAGS": " ".join(nic.network_tags),
        "GATEWAY": _gateway(nic, "NETWORK_GATEWAY", "4"),
        "SUBNET": environment["NETWORK_SUBNET"] if nic.address else "",
        "GATEWAY6": _gateway(nic, "NETWORK_GATEWAY6", "6"),
        "SUBNET6": environment["NETWORK_SUBNET6"],
        "EUI64": nic.address6,
        "MTU": nic.mtu,
        "NAMESERVERS": ",".join(_servers(nic)),
        "ROUTES": ",".join([*nic.network_words("snf:route"), *_metadata(nic)]),
    }
    return "".join(f"{key}={value}\n" for key, value in values.items() if value)


def _servers(nic):
    # Tags are in no order, so each says its number; an operator's own may have none.
    words = [word.rpartition("@") for word in nic.network_words("snf:dns")]
    words.sort(key=lambda word: int(word[0]) if word[0].isdecimal() else 0)
    return [address for _, _, address in words]


def _metadata(nic):
    # Who is routed for sends it to the node anyhow.
    if metadata.offered(nic) and not nic.routed:
        yield f"{metadata.ADDRESS}/32@0.0.0.0"


def _gateway(nic, key, family):
    # Ganeti keeps a gateway that its network is to have no more.
    ignored = f"snf:no-gateway:{family}" in nic.network_tags
    return "" if ignored else nic.environment[key]
