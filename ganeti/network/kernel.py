"""This node's kernel: links, addresses, routes, rules, and frames sent by hand."""

import json
import re
import socket
import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path

_TIMEOUT_S = 20
_ADDRESS_SET = "3"  # linux/netdevice.h: NET_ADDR_SET
_EVERYBODY = "00:00:00:00:00:00"
_ALL_NODES = bytes.fromhex("ff02000000000000") + bytes(7) + b"\x01"
_ARP, _IPV6 = 0x0806, 0x86DD


class Failed(Exception):
    """The kernel, or a tool that talks to it, refused; the text says what."""


def nft(text):
    """
    Load rules, all or none of them.

    :raises Failed: They were refused.
    """
    done = _run(["nft", "-f", "-"], text)
    if done.returncode:
        raise Failed(f"nft refused the rules: {_first(done.stderr)}")


def ip(lines, family=4):
    """
    Carry out lines of ``ip -batch``; those that begin with ``?`` may fail.

    :raises Failed: One of the others failed.
    """
    if not lines:
        return
    text = "\n".join(line.lstrip("?") for line in lines) + "\n"
    done = _run(["ip", f"-{family}", "-force", "-batch", "-"], text)
    reason = ""
    for line in done.stderr.splitlines():
        failed = re.match(r"Command failed -:(\d+)", line)
        if failed is None:
            reason = line
        elif not lines[int(failed.group(1)) - 1].startswith("?"):
            command = lines[int(failed.group(1)) - 1]
            raise Failed(f"ip {command}: {reason}")


def uplink(table):
    """
    Return the device of a routing table's default route, of either family.

    :raises Failed: There is no such table, or no default route in it.
    """
    for family in (4, 6):
        done = _run(
            ["ip", f"-{family}", "-j", "route", "show", "table", table, "default"]
        )
        for route in _parsed(done):
            if "dev" in route:
                return route["dev"]
    raise Failed(f"there is no routing table {table} with a default route on this node")


def own_device(addresses):
    """
    Return the first of some addresses that is this node's own, and the device it is on.

    :raises Failed: None is.
    """
    done = _run(["ip", "-j", "addr"])
    for link in _parsed(done):
        for one in link.get("addr_info", ()):
            if one.get("local") in addresses:
                return one["local"], link["ifname"]
    raise Failed(
        f"none of the nodes' addresses is on this node: {', '.join(addresses)}"
    )


def flood(tunnel, peers):
    """Have a VXLAN device send what is for everybody to these nodes, and no others."""
    done = _run(["bridge", "-j", "fdb", "show", "dev", tunnel])
    known = {
        one["dst"]
        for one in _parsed(done)
        if "dst" in one and one.get("mac") == _EVERYBODY
    }
    lines = [f"fdb append {_EVERYBODY} dev {tunnel} dst {one}" for one in peers - known]
    lines += [f"fdb del {_EVERYBODY} dev {tunnel} dst {one}" for one in known - peers]
    done = _run(["bridge", "-batch", "-"], "".join(f"{line}\n" for line in lines))
    if done.returncode:
        raise Failed(f"bridge {lines}: {_first(done.stderr)}")


def number_of(interface):
    """Return an interface's index; 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def mac_of(interface):
    """Return an interface's MAC address; "" where there is none of that name."""
    return _read(f"/sys/class/net/{interface}/address")


def ports_of(bridge):
    """Return the names of a bridge's ports."""
    directory = Path(f"/sys/class/net/{bridge}/brif")
    return [port.name for port in directory.iterdir()] if directory.is_dir() else []


def is_bridge(interface):
    """Return whether there is a bridge of that name."""
    return Path(f"/sys/class/net/{interface}/bridge").is_dir()


def filters_bridges():
    """Return whether the firewall sees what bridges forward (br_netfilter)."""
    return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists()


def filter_bridge(bridge):
    """Have the firewall see what this bridge forwards, in both families."""
    for name in ("nf_call_iptables", "nf_call_ip6tables"):
        _write(f"/sys/class/net/{bridge}/bridge/{name}", "1")


def keeps_mac(bridge):
    """Return whether a bridge keeps its MAC address whatever ports it gets and loses."""
    return _read(f"/sys/class/net/{bridge}/addr_assign_type") == _ADDRESS_SET


def forward(tap, device):
    """Set what makes the node a router for a tap: towards it and towards its uplink."""
    settings = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1}
    settings |= {
        f"ipv4/conf/{tap}/proxy_arp": 1,
        f"ipv4/conf/{tap}/rp_filter": 1,
        f"ipv4/conf/{tap}/accept_redirects": 0,
        f"ipv4/conf/{tap}/send_redirects": 0,
        f"ipv4/neigh/{tap}/proxy_delay": 0,
        f"ipv6/conf/{tap}/accept_ra": 0,
        f"ipv6/conf/{tap}/autoconf": 0,
        f"ipv6/conf/{tap}/proxy_ndp": 1,
    }
    if device:
        settings |= {
            f"ipv4/neigh/{device}/proxy_delay": 0,
            f"ipv6/neigh/{device}/proxy_delay": 0,
            f"ipv6/conf/{device}/proxy_ndp": 1,
        }
    for name, value in settings.items():
        _write(f"/proc/sys/net/{name}", str(value))


def announce(device, addresses):
    """Tell everybody on a link that addresses are at this node from now on.

    Gratuitous ARP (RFC 5227, 3) and unsolicited neighbor advertisement (RFC 4861,
    7.2.6): a router that does not hear it keeps sending to the node that they were at.
    """
    mac = bytes.fromhex(mac_of(device).replace(":", ""))
    # One socket, which hears nothing: to close one takes the kernel some 10 ms.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        for text in addresses:
            address = ip_address(text)
            how = _arp if address.version == 4 else _advertisement
            raw.sendto(how(mac, address), (device, 0))


def _arp(mac, address):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    body += mac + address.packed + bytes(6) + address.packed
    return b"\xff" * 6 + mac + struct.pack(">H", _ARP) + body


def _advertisement(mac, address):
    # Override, and the option with the link-layer address that is to be used.
    body = (
        struct.pack(">BBHI", 136, 0, 0, 0x20000000) + address.packed + b"\x02\x01" + mac
    )
    pseudo = address.packed + _ALL_NODES + struct.pack(">II", len(body), 58)
    body = body[:2] + struct.pack(">H", _checksum(pseudo + body)) + body[4:]
    header = (
        struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + address.packed + _ALL_NODES
    )
    return (
        bytes.fromhex("333300000001") + mac + struct.pack(">H", _IPV6) + header + body
    )


def _checksum(data):
    """Return the Internet checksum (RFC 1071) of an even number of octets."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _run(argv, text=""):
    try:
        return subprocess.run(
            argv,
            input=text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise Failed(f"{argv[0]} is not installed on this node") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]} did not end within {_TIMEOUT_S} s") from None


def _parsed(done):
    # What is printed before an error is no JSON.
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def _first(text):
    lines = text.strip().splitlines()
    return lines[0] if lines else "no reason was given"


def _read(path):
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return ""


def _write(path, value):
    try:
        Path(path).write_text(value, "ascii")
    except OSError as problem:
        raise Failed(f"{path}: {problem.strerror}") from None
