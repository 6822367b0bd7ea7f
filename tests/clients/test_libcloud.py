"""apache-libcloud, by each of its ways to an OpenStack."""

from typing import Any
from uuid import uuid4

from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider

from tests.clients.case import ClientTestCase


class LibcloudTests(ClientTestCase):
    """The life of a node."""

    async def test_life(self) -> None:
        """The old driver and the new ones, with either version of the identity API."""
        await self.together(
            self.life,
            (
                ("1.1", "2.0_password"),
                ("1.1", "3.x_password"),
                ("2.0", "3.x_password"),
                ("2.2", "3.x_password"),
            ),
        )

    def driver(self, version: str, auth: str) -> Any:
        """Return a driver, made as docs/clients.md says."""
        return get_driver(Provider.OPENSTACK)(
            "demo",
            self.password(),
            api_version=version,
            ex_force_auth_url=f"{self.root}/identity",
            ex_force_auth_version=auth,
            ex_tenant_name="demo",
            ex_domain_name="Default",
            ex_force_service_region="RegionOne",
        )

    def life(self, way: tuple[str, str]) -> None:
        """One node, from its creation to its destruction."""
        driver = self.driver(*way)
        [size] = [one for one in driver.list_sizes() if one.name == "m1.small"]
        [image] = [one for one in driver.list_images() if one.name == "tiny"]
        networks = [one for one in driver.ex_list_networks() if one.name == "default"]
        self.assertEqual(256, size.ram)
        name = f"libcloud-{uuid4().hex[:6]}"
        node = driver.create_node(name=name, size=size, image=image, networks=networks)
        [(node, addresses)] = driver.wait_until_running(
            [node], wait_period=1, timeout=180, ssh_interface="private_ips"
        )
        self.assertEqual((name, addresses), (node.name, node.private_ips))
        self.assertEqual({"a": "b"}, driver.ex_set_metadata(node, {"a": "b"}))
        self.assertEqual({"a": "b"}, driver.ex_get_metadata(node))
        for do, state in (
            (driver.reboot_node, NodeState.RUNNING),
            (driver.ex_stop_node, NodeState.STOPPED),
            (driver.ex_start_node, NodeState.RUNNING),
        ):
            self.assertTrue(do(node))
            self.rests_in(driver, node, state)
        if way[0] != "2.0":  # of which the newest is an extension
            self.is_resized(driver, node, size)
        self.assertIn(node.id, [one.id for one in driver.list_nodes()])
        self.assertTrue(driver.destroy_node(node))
        self.until(
            lambda: node.id not in [one.id for one in driver.list_nodes()],
            f"{name} gone",
        )

    def is_resized(self, driver: Any, node: Any, size: Any) -> None:
        """It is made larger and smaller again, and larger for good."""
        [larger] = [one for one in driver.list_sizes() if one.name == "m1.medium"]
        for do, flavor in (
            (driver.ex_revert_resize, size),
            (driver.ex_confirm_resize, larger),
        ):
            self.assertTrue(driver.ex_resize(node, larger))
            self.rests_in(driver, node, NodeState.RUNNING)  # while it is VERIFY_RESIZE
            self.assertTrue(do(node))
            self.rests_in(driver, node, NodeState.RUNNING)
            shown = driver.ex_get_node_details(node.id)
            self.assertEqual(flavor.id, shown.extra["flavorId"])

    def rests_in(self, driver: Any, node: Any, state: str) -> None:
        """Wait until the node is idle in a state."""

        def rests() -> bool:
            shown = driver.ex_get_node_details(node.id)
            return (state, None) == (shown.state, shown.extra["task_state"])

        self.until(rests, f"{node.name} {state}")
