"""A drained network, whoever wants something on it, by whichever way."""

from typing import Any

from snf.storage import networks, subnets
from snf.testing.world import ADMIN, ALICE, EXTERNAL, EXTERNAL_SUBNET, NETWORK, SUBNET
from tests.api.case import SERVERS, ApiTestCase, Reply

V2 = "/network/v2.0"
_ONE = {"ip_address": "192.0.2.77"}


class DrainedTests(ApiTestCase):
    """The networks of the world give nothing any more."""

    def setUp(self) -> None:
        super().setUp()
        self.run_in(networks.add, EXTERNAL)
        self.run_in(subnets.add, EXTERNAL_SUBNET)
        self.old = self.port().json["port"]["id"]
        self.one = self.server()
        for network in (NETWORK, EXTERNAL):
            changes = {"network": {"SNF:drained": True}}
            path = f"{V2}/networks/{network.id}"
            self.assertEqual(200, self.call("PUT", path, changes, by=ADMIN).code)

    def port(self, **asked: Any) -> Reply:
        body = {"port": {"network_id": str(NETWORK.id), **asked}}
        return self.call("POST", f"{V2}/ports", body, by=ALICE)

    def refused(self, reply: Reply) -> None:
        self.assertEqual(409, reply.code, reply.text)
        self.assertIn("is drained: it gives no new addresses", reply.message)

    def test_ports(self) -> None:
        """No port, whether an address is named, a subnet, none, or no address wanted."""
        for fixed in ([_ONE], [{"subnet_id": str(SUBNET.id)}], []):
            self.refused(self.port(fixed_ips=fixed))
        self.refused(self.port())
        self.assertEqual([(2,)], self.sql("SELECT count(*) FROM port"))

    def test_another_address(self) -> None:
        """A port that is there gets no other address; it may give its own back."""
        path = f"{V2}/ports/{self.old}"
        asked: dict[str, Any] = {"port": {"fixed_ips": [_ONE]}}
        self.refused(self.call("PUT", path, asked, by=ALICE))
        asked = {"port": {"fixed_ips": []}}
        self.assertEqual(200, self.call("PUT", path, asked, by=ALICE).code)

    def test_servers(self) -> None:
        """No server, neither with an address of its choice; nor an interface."""
        network = str(NETWORK.id)
        for wanted in ({"uuid": network}, {"uuid": network, "fixed_ip": "192.0.2.77"}):
            self.refused(self.create(networks=[wanted]))
        for asked in ({"net_id": network}, {"net_id": network, "fixed_ips": [_ONE]}):
            path = f"{SERVERS}/{self.one}/os-interface"
            self.sql("UPDATE orders SET state = 'done'")
            self.sql("UPDATE server SET observed = 'up', status = 'ACTIVE'")
            body = {"interfaceAttachment": asked}
            self.refused(self.call("POST", path, body, by=ALICE))

    def test_floating(self) -> None:
        """No floating IP, any or a certain one."""
        wanted = {"floating_network_id": str(EXTERNAL.id)}
        for more in ({}, {"floating_ip_address": "203.0.113.55"}):
            body = {"floatingip": wanted | more}
            self.refused(self.call("POST", f"{V2}/floatingips", body, by=ALICE))
