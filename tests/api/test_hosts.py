"""What operators see of clusters: zones, services, hypervisors; and small lists."""

from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.core.placement import Capacity
from snf.storage import capacities, clusters
from snf.testing.world import ADMIN, ALICE, CLUSTER, READER
from tests.api.case import ApiTestCase, Reply

COMPUTE = "/compute/v2.1"
ROOM = Capacity(2, 16, 65_536, 60_000, 1_048_576, 524_288, 3)


class HostTestCase(ApiTestCase):
    """There is one cluster, which has been measured."""

    def setUp(self) -> None:
        super().setUp()
        [self.cluster] = self.run_in(clusters.listing)
        self.run_in(capacities.save, self.cluster.id, ROOM, 0.0)

    def get(self, path: str, by: Any = ADMIN, version: str | None = None) -> Reply:
        """Look at something."""
        return self.call("GET", f"{COMPUTE}/{path}", by=by, version=version)


class ZoneTests(HostTestCase):
    """``os-availability-zone``."""

    def test_brief(self) -> None:
        """Everybody sees the one zone, without what is in it."""
        for by in (ALICE, READER, ADMIN):
            [zone] = self.get("os-availability-zone", by).json["availabilityZoneInfo"]
            self.assertEqual(
                {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
                zone,
            )

    def test_nowhere(self) -> None:
        """It is not available where no cluster takes servers."""
        self.run_in(clusters.set_use, self.cluster.id, True, None)
        [zone] = self.get("os-availability-zone").json["availabilityZoneInfo"]
        self.assertFalse(zone["zoneState"]["available"])

    def test_detail(self) -> None:
        """Admins see the clusters."""
        self.assertEqual(403, self.get("os-availability-zone/detail", ALICE).code)
        reply = self.get("os-availability-zone/detail")
        [zone] = reply.json["availabilityZoneInfo"]
        service = zone["hosts"][CLUSTER.name]["nova-compute"]
        self.assertEqual((True, True), (service["available"], service["active"]))


class ServiceTests(HostTestCase):
    """``os-services``."""

    def service(self) -> dict[str, Any]:
        """Return the one there is."""
        [service] = self.get("os-services").json["services"]
        return service

    def test_list(self) -> None:
        """Each cluster is a nova-compute; host and binary narrow the list."""
        service = self.service()
        self.assertEqual(
            ("nova-compute", CLUSTER.name, "nova", "enabled", "up"),
            tuple(
                service[key] for key in ("binary", "host", "zone", "status", "state")
            ),
        )
        for query in ("host=x", "binary=nova-conductor"):
            self.assertEqual([], self.get(f"os-services?{query}").json["services"])
        found = self.get(f"os-services?host={CLUSTER.name}&binary=nova-compute")
        self.assertEqual([service], found.json["services"])

    def test_down(self) -> None:
        """One that cannot be reached is down, one that is offline is disabled as well."""
        self.run_in(clusters.set_reachable, self.cluster.id, False)
        service = self.service()
        self.assertEqual(("enabled", "down"), (service["status"], service["state"]))
        self.run_in(clusters.set_use, self.cluster.id, None, True)
        service = self.service()
        self.assertEqual(("disabled", "down"), (service["status"], service["state"]))

    def test_drain(self) -> None:
        """Disabling one keeps new servers away, until it is enabled."""
        for verb, status, code in (
            ("disable", "disabled", 503),
            ("enable", "enabled", 202),
        ):
            body = {"host": CLUSTER.name, "binary": "nova-compute"}
            reply = self.call("PUT", f"{COMPUTE}/os-services/{verb}", body, by=ADMIN)
            self.assertEqual(
                (200, status), (reply.code, reply.json["service"]["status"])
            )
            self.assertEqual(status, self.service()["status"])
            self.assertEqual(code, self.create().code)
        path = f"{COMPUTE}/os-services/{self.cluster.id}"
        reply = self.call("PUT", path, {"status": "disabled"}, by=ADMIN)
        self.assertEqual("disabled", reply.json["service"]["status"])

    def test_reason(self) -> None:
        """Why one was disabled is noted in the audit trail, whatever way it came."""
        path = f"{COMPUTE}/os-services"
        body = {"host": CLUSTER.name, "binary": "nova-compute"}
        for where, what in (
            ("disable-log-reason", body),
            (str(self.cluster.id), {"status": "disabled"}),
        ):
            told = what | {"disabled_reason": f"a fan, {where}"}
            reply = self.call("PUT", f"{path}/{where}", told, by=ADMIN)
            self.assertEqual("disabled", reply.json["service"]["status"], reply.text)
            [(noted,)] = self.sql(
                "SELECT outcome FROM activity WHERE action = 'cluster disabled'"
                " ORDER BY id DESC LIMIT 1"
            )
            self.assertEqual(f"a fan, {where}", noted)
        for where, what in (
            ("enable", body | {"disabled_reason": "x"}),
            (str(self.cluster.id), {"status": "enabled", "disabled_reason": "x"}),
            (str(self.cluster.id), {"disabled_reason": "x"}),
            ("disable-log-reason", body | {"disabled_reason": ""}),
        ):
            reply = self.call("PUT", f"{path}/{where}", what, by=ADMIN)
            self.assertEqual(400, reply.code)
            self.assertIn("disabled_reason", reply.json["badRequest"]["message"])
        self.assertEqual("disabled", self.service()["status"])

    def test_drain_refused(self) -> None:
        """What makes no sense, or is somebody's who is no admin."""
        disable = f"{COMPUTE}/os-services/disable"
        body = {"host": CLUSTER.name, "binary": "nova-compute"}
        for wrong, code in (
            ({"host": "x"}, 404),
            ({"host": CLUSTER.name, "binary": "nova-api"}, 404),
            ({}, 404),
            ({"host": 7}, 400),
            ({"host": CLUSTER.name, "forced_down": True}, 400),
        ):
            self.assertEqual(code, self.call("PUT", disable, wrong, by=ADMIN).code)
        path = f"{COMPUTE}/os-services/{self.cluster.id}"
        self.assertEqual(400, self.call("PUT", path, {"status": "x"}, by=ADMIN).code)
        path = f"{COMPUTE}/os-services/{uuid4()}"
        self.assertEqual(
            404, self.call("PUT", path, {"status": "enabled"}, by=ADMIN).code
        )
        self.assertEqual(403, self.call("PUT", disable, body, by=ALICE).code)
        self.assertEqual("enabled", self.service()["status"])


class HypervisorTests(HostTestCase):
    """``os-hypervisors``."""

    def test_detail(self) -> None:
        """Each cluster is one, with what was measured and our servers there."""
        self.server()
        [shown] = self.get("os-hypervisors/detail").json["hypervisors"]
        self.assertEqual(
            (16, 1, 65_536, 5_536, 1024, 512, 1),
            tuple(
                shown[key]
                for key in (
                    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used"),
                    *("local_gb", "free_disk_gb", "running_vms"),
                )
            ),
        )
        one = self.get(f"os-hypervisors/{shown['id']}").json["hypervisor"]
        self.assertEqual(shown, one)
        [brief] = self.get("os-hypervisors").json["hypervisors"]
        self.assertLessEqual(brief.items(), shown.items())

    def test_statistics(self) -> None:
        """The sum is of those that take servers."""
        name = "hypervisor_statistics"
        shown = self.get("os-hypervisors/statistics").json[name]
        self.assertEqual((1, 16), (shown["count"], shown["vcpus"]))
        self.run_in(clusters.set_use, self.cluster.id, True, None)
        shown = self.get("os-hypervisors/statistics").json[name]
        self.assertEqual((0, 0), (shown["count"], shown["vcpus"]))

    def test_versions(self) -> None:
        """Younger versions name hosts by UUIDs, and tell no sizes in the end."""
        service = f"{COMPUTE}/os-services"
        for version, sized in (("2.53", True), ("2.88", False), ("latest", False)):
            headers = {"OpenStack-API-Version": f"compute {version}"}

            def get(path: str, headers: dict[str, str] = headers) -> Reply:
                return self.call("GET", f"{COMPUTE}/{path}", by=ADMIN, headers=headers)

            [shown] = get("os-hypervisors/detail").json["hypervisors"]
            self.assertEqual(str(UUID(shown["id"])), shown["id"])
            self.assertEqual(sized, "memory_mb" in shown)
            one = get(f"os-hypervisors/{shown['id']}").json["hypervisor"]
            self.assertEqual(shown, one)
            statistics = get("os-hypervisors/statistics").code
            self.assertEqual(200 if sized else 404, statistics)
            path = f"{service}/{shown['service']['id']}"
            for status in ("disabled", "enabled"):
                body = {"status": status}
                reply = self.call("PUT", path, body, by=ADMIN, headers=headers)
                self.assertEqual(status, reply.json["service"]["status"])

    def test_pages(self) -> None:
        """From 2.33 on they come in pages: whoever follows sees each once, and ends."""
        for name in ("b", "c"):
            self.run_in(clusters.add, evolve(CLUSTER, name=name))
        for version in ("2.33", "2.53", "latest"):
            for path in ("os-hypervisors", "os-hypervisors/detail"):
                seen, query = [], "?limit=2"
                while query:
                    page = self.page(f"{path}{query}", version)
                    seen += [one["hypervisor_hostname"] for one in page["hypervisors"]]
                    links = page.get("hypervisors_links")
                    query = links and f"?{links[0]['href'].partition('?')[2]}"
                self.assertEqual(["b", "c", CLUSTER.name], seen)
                # Some have no link, and ask until there is nothing more.
                last = page["hypervisors"][-1]["id"]
                page = self.page(f"{path}?limit=2&marker={last}", version)
                self.assertEqual({"hypervisors": []}, page)
            wrong = self.get(f"os-hypervisors?marker={uuid4()}", version=version)
            self.assertEqual(400, wrong.code)
        self.assertEqual(
            3, len(self.page("os-hypervisors?limit=1", "2.32")["hypervisors"])
        )

    def page(self, path: str, version: str) -> Any:
        """Return a part of a list."""
        reply = self.get(path, version=version)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json

    def test_cpu_info(self) -> None:
        """It is a text once, and an object later."""
        for version, told in (("2.27", ""), ("2.28", {}), ("2.87", {})):
            [shown] = self.page("os-hypervisors/detail", version)["hypervisors"]
            self.assertEqual(told, shown["cpu_info"])

    def test_not_measured(self) -> None:
        """One that has not been measured has nothing yet."""
        self.sql("DELETE FROM cluster_capacity")
        [shown] = self.get("os-hypervisors/detail").json["hypervisors"]
        self.assertEqual((0, 0), (shown["vcpus"], shown["memory_mb"]))

    def test_missing(self) -> None:
        """An id that is none, and a pattern that nothing matches."""
        for path in ("999999", "x", str(uuid4())):
            self.assertEqual(404, self.get(f"os-hypervisors/{path}").code)
        pattern = "os-hypervisors?hypervisor_hostname_pattern="
        self.assertEqual(404, self.get(f"{pattern}nowhere").code)
        self.assertEqual(1, len(self.get(f"{pattern}ganeti").json["hypervisors"]))

    def test_uptime(self) -> None:
        """It is a 501, after which clients go on without; no URL from 2.88 on."""
        path = f"os-hypervisors/{self.cluster.id}/uptime"
        reply = self.get(path)
        self.assertEqual(501, reply.code)
        self.assertEqual(501, reply.json["notImplemented"]["code"])
        self.assertEqual(404, self.get("os-hypervisors/999999/uptime").code)
        headers = {"OpenStack-API-Version": "compute 2.88"}
        path = f"{COMPUTE}/{path}"
        self.assertEqual(404, self.call("GET", path, by=ADMIN, headers=headers).code)

    def test_admins_only(self) -> None:
        """None of it is for anybody else."""
        for path in (
            *("os-hypervisors", "os-hypervisors/detail", "os-hypervisors/statistics"),
            *(f"os-hypervisors/{self.cluster.id}", "os-services", "os-aggregates"),
        ):
            self.assertEqual(403, self.get(path, ALICE).code, path)


class SmallListTests(HostTestCase):
    """Lists that do not change."""

    def test_extensions(self) -> None:
        """What we offer is named as Nova names it."""
        found = self.get("extensions", READER).json["extensions"]
        aliases = [one["alias"] for one in found]
        self.assertEqual(aliases, sorted(set(aliases)))
        self.assertIn("os-quota-sets", aliases)
        for one in found:
            shown = self.get(f"extensions/{one['alias']}", READER).json["extension"]
            self.assertEqual(one, shown)
        self.assertEqual(404, self.get("extensions/os-nothing", READER).code)

    def test_aggregates(self) -> None:
        """There are none."""
        self.assertEqual({"aggregates": []}, self.get("os-aggregates").json)
