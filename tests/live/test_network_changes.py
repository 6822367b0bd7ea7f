"""A user's change of a subnet, down to what its node answers the guests."""

import contextlib
from typing import Any
from uuid import uuid4

from tests.live.cloud import eventually
from tests.live.test_interfaces import InterfacesTestCase
from tests.live.test_networks import PRIVATE4

_BINDINGS = "/run/ganeti/nfdhcpd"
_BEFORE = {"gateway_ip": "10.99.0.1", "dns_nameservers": ["192.0.2.53"]}
_AFTER = {"gateway_ip": "10.99.0.2", "dns_nameservers": ["192.0.2.55", "192.0.2.54"]}


def _holds(binding: dict[str, str], subnet: dict[str, Any]) -> bool:
    """Return whether a binding says what a subnet has."""
    servers = binding.get("NAMESERVERS", "").split(",")
    return servers == subnet["dns_nameservers"] and (
        binding.get("GATEWAY") == subnet["gateway_ip"]
    )


class ChangeTests(InterfacesTestCase):
    """``PUT /subnets/{id}`` and the files that nfdhcpd answers from."""

    async def test_subnet(self) -> None:
        """Its gateway and DNS servers hold for new NICs, for others after a reboot."""
        network = await self.neutron("networks", {"name": f"live-{uuid4().hex[:6]}"})
        subnet = await self.neutron("subnets", self.subnet(network))
        server, _ = await self.booted()
        old = await self.plugged(server, network)
        await self.until_told(old, _BEFORE)

        path = f"/network/v2.0/subnets/{subnet}"
        reply = await self.user.call("PUT", path, {"subnet": _AFTER})
        self.assertEqual(200, reply.code, reply.json)
        new = await self.plugged(server, network)
        await self.until_told(new, _AFTER)
        # The guest has what it was started with.
        self.assertTrue(_holds(self.binding(old), _BEFORE))

        code = await self.user.act(server, {"reboot": {"type": "HARD"}})
        self.assertEqual(202, code)
        await self.until_told(old, _AFTER)
        await self.user.until(server, "ACTIVE")
        await self.user.delete(server)
        self.assertEqual([{}, {}], [self.binding(one) for one in (old, new)])

    def subnet(self, network: str) -> dict[str, Any]:
        """Return a subnet that has room for either gateway."""
        pool = {"start": "10.99.0.10", "end": "10.99.0.20"}
        return {
            "network_id": network,
            "ip_version": 4,
            "cidr": PRIVATE4,
            "allocation_pools": [pool],
            **_BEFORE,
        }

    async def plugged(self, server: str, network: str) -> str:
        """Attach a NIC to a running server, and return its MAC address."""
        made = await self.attach(server, network)
        return str(made["mac_addr"])

    def binding(self, mac: str) -> dict[str, str]:
        """Return what a node is to answer the NIC with a MAC address; {} if none is."""
        for machine in self.cloud.ganeti.machines:
            for file in machine.namespace.path(_BINDINGS).glob("[!.]*"):
                with contextlib.suppress(FileNotFoundError):
                    lines = file.read_text("utf-8").splitlines()
                    said = dict(line.split("=", 1) for line in lines)
                    if said.get("MAC") == mac:
                        return said
        return {}

    async def until_told(self, mac: str, subnet: dict[str, Any]) -> None:
        """Wait until the node of a NIC is told what the NIC's subnet is."""

        async def there() -> bool:
            return _holds(self.binding(mac), subnet)

        await eventually(there, f"the binding of {mac} has {subnet}", 60)
