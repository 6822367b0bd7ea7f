"""A guest's NICs, in the two ways in which they are told."""

from ipaddress import ip_interface, ip_network


def network_data(interfaces):
    """Return OpenStack's ``network_data.json`` (nova/virt/netutils.py)."""
    links, networks = [], []
    for nic in interfaces:
        links.append(
            {
                "id": nic.id,
                "vif_id": nic.id,
                "type": "phy",
                "mtu": nic.mtu,
                "ethernet_mac_address": nic.mac,
            }
        )
        for address in nic.addresses:
            networks.append(
                {
                    "id": f"network{len(networks)}",
                    "link": nic.id,
                    "network_id": nic.network_id,
                    **_network(address),
                }
            )
    servers = [{"type": "dns", "address": server} for server in _servers(interfaces)]
    return {"links": links, "networks": networks, "services": servers}


def _network(address):
    if address.dhcp:
        # Of IPv6 routers say how a guest makes its address.
        return {"type": "ipv4_dhcp" if address.version == 4 else "ipv6_slaac"}
    routes = [(address.gateway, "::/0" if address.version == 6 else "0.0.0.0/0")]
    routes = [(to, network) for to, network in routes if to]
    routes += [(to, network) for network, to in address.routes]
    return {
        "type": f"ipv{address.version}",
        "ip_address": address.address,
        "netmask": str(_interface(address).netmask),
        "routes": [
            {
                "network": str(ip_network(network).network_address),
                "netmask": str(ip_network(network).netmask),
                "gateway": to,
            }
            for to, network in routes
        ],
        "services": [{"type": "dns", "address": server} for server in address.dns],
    }


def netplan(interfaces):
    """Return cloud-init's network configuration, version 2, for NoCloud."""
    return {
        "version": 2,
        "ethernets": {f"eth{at}": _nic(at, nic) for at, nic in enumerate(interfaces)},
    }


def _nic(at, nic):
    told = {
        "match": {"macaddress": nic.mac},
        "set-name": f"eth{at}",
        "mtu": nic.mtu,
    }
    if any(one.dhcp and one.version == 4 for one in nic.addresses):
        told["dhcp4"] = True
    if any(one.dhcp and one.version == 6 for one in nic.addresses):
        told["accept-ra"] = True
    fixed = [one for one in nic.addresses if not one.dhcp]
    if fixed:
        told["addresses"] = [f"{one.address}/{one.prefix}" for one in fixed]
    # As a route to ::/0 older versions make it one to ::/64.
    told |= {f"gateway{one.version}": one.gateway for one in fixed if one.gateway}
    routes = [{"to": to, "via": via} for one in fixed for to, via in one.routes]
    if routes:
        told["routes"] = routes
    servers = _servers([nic])
    if servers:
        told["nameservers"] = {"addresses": servers}
    return told


def _servers(interfaces):
    """Return the DNS servers of fixed addresses, each once; DHCP tells the others'."""
    found = [
        server
        for nic in interfaces
        for address in nic.addresses
        if not address.dhcp
        for server in address.dns
    ]
    return list(dict.fromkeys(found))


def _interface(address):
    return ip_interface(f"{address.address}/{address.prefix}")
