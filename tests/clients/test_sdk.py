"""openstacksdk's cloud layer, which is what Ansible's modules use."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import openstack

from snf.allinone.credentials import PEOPLE, clouds
from tests.clients.case import ClientTestCase
from tests.clients.programs import Program


class SdkTests(ClientTestCase):
    """The life of a server."""

    async def test_life(self) -> None:
        """It is made once, found again, changed and deleted."""
        await self.together(self.life, (None,))

    def life(self, way: None) -> None:
        """As a play would, each step told to wait."""
        person = PEOPLE["user"]
        cloud = openstack.connect(
            auth_url=self.auth_url,
            username=person.name,
            password=self.password(),
            project_name=person.project,
            user_domain_id="default",
            project_domain_id="default",
            region_name="RegionOne",
        )
        self.addCleanup(cloud.close)
        name = f"sdk-{uuid4().hex[:6]}"
        group = cloud.create_server_group(name, policy="soft-anti-affinity")
        made = cloud.create_server(
            name,
            image="tiny",
            flavor="m1.small",
            network="default",
            group=name,
            meta={"role": "web"},
            auto_ip=True,
            wait=True,
            timeout=180,
        )
        self.assertEqual("ACTIVE", made.status)
        self.assertEqual(made.addresses["default"][0]["addr"], made.private_v4)
        self.assertEqual(made.id, cloud.get_server(name).id)
        self.assertEqual([made.id], cloud.get_server_group(group.id).member_ids)
        found = cloud.compute.fetch_server_security_groups(made)
        self.assertEqual(["default"], [one["name"] for one in found.security_groups])
        cloud.set_server_metadata(name, {"stage": "test"})
        cloud.delete_server_metadata(name, ["role"])
        self.assertEqual({"stage": "test"}, cloud.get_server(name).metadata)
        flavor = cloud.get_flavor("m1.medium")

        def resize(server: Any) -> None:
            cloud.compute.resize_server(server, flavor)

        for act, status in (
            (cloud.compute.stop_server, "SHUTOFF"),
            (cloud.compute.start_server, "ACTIVE"),
            (resize, "VERIFY_RESIZE"),
            (cloud.compute.revert_server_resize, "ACTIVE"),
            (resize, "VERIFY_RESIZE"),
            (cloud.compute.confirm_server_resize, "ACTIVE"),
        ):
            act(made)
            now = cloud.compute.get_server(made.id)
            cloud.compute.wait_for_server(now, status, wait=180)
            self.until(
                lambda: cloud.compute.get_server(made.id).task_state is None, status
            )
        self.assertEqual("m1.medium", cloud.get_server(name).flavor.original_name)
        [port] = cloud.search_ports(filters={"device_id": made.id})
        self.assertEqual(made.private_v4, port.fixed_ips[0]["ip_address"])
        self.assertIn("nova", cloud.list_availability_zone_names())
        self.assertTrue(cloud.delete_server(name, wait=True, timeout=180))
        self.assertIsNone(cloud.get_server(name))
        self.assertIs(False, cloud.delete_server(name))
        self.assertEqual(
            [group.id], [one.id for one in cloud.search_server_groups(name)]
        )
        self.assertTrue(cloud.delete_server_group(name))
        self.assertIsNone(cloud.get_server_group(name))


class CloudsTests(ClientTestCase):
    """``clouds.yaml``, as ``./cloud env --clouds`` prints it."""

    async def test_clouds(self) -> None:
        """``openstack --os-cloud cyclades`` needs nothing besides."""
        port = int(self.root.rpartition(":")[2])
        files = {}
        for who, person in PEOPLE.items():
            path = Path(self.mktemp()).absolute()
            path.write_text(clouds(port, person, self.password(who), "RegionOne"))
            files[person.project] = path
        await self.together(self.list, files.items())

    def list(self, way: tuple[str, Path]) -> None:
        """Log in by a file."""
        project, path = way
        environment = {
            "PATH": "/usr/bin",
            "HOME": "/nonexistent",
            "OS_CLIENT_CONFIG_FILE": str(path),
            "OS_CLOUD": "cyclades",
        }
        client = Program("openstack", environment)
        shown = client.json("project list --my-projects")
        self.assertEqual([project], [one["Name"] for one in shown])
