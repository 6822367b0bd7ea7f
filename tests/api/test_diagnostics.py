"""What is told of a server's inside: diagnostics, topology, graphs."""

import hashlib
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from snf.api.compute.stats import Graphs, hide
from snf.core.report import DiagnosticReport, Level
from snf.core.server import Fault, Life, Observed
from snf.storage import diagnostics
from snf.testing.world import ADMIN, ALICE, BOB, LARGE, READER
from tests.api.case import SERVERS, ApiTestCase

OLD = "/compute/v2/servers"
GRAPHS = Graphs("https://stats.test/stats/v1.0", "shared", 30)


class NovaTests(ApiTestCase):
    """``/compute/v2.1/servers/{id}/diagnostics``."""

    def setUp(self) -> None:
        super().setUp()
        self.id = self.server(flavorRef=str(LARGE.id))
        self.url = f"{SERVERS}/{self.id}/diagnostics"
        self.live(self.id, Life(Observed.UP))

    def test_standard(self) -> None:
        """It tells what is known, and null for what is not; nothing is made up."""
        [(mac,)] = self.sql("SELECT mac::text FROM port")
        shown = self.call("GET", self.url, by=ADMIN, version="2.48").json
        lists = {name: shown.pop(name) for name in ("cpu_details", "nic_details")}
        self.assertEqual(LARGE.vcpus, len(lists["cpu_details"]))
        self.assertEqual(
            {"id": 1, "time": None, "utilisation": None}, lists["cpu_details"][1]
        )
        [nic] = lists["nic_details"]
        self.assertEqual(mac, nic.pop("mac_address"))
        self.assertEqual({None}, set(nic.values()))
        disks = shown.pop("disk_details")
        self.assertEqual(shown["num_disks"], len(disks))
        self.assertEqual({None}, {value for disk in disks for value in disk.values()})
        expected: dict[str, Any] = {
            "state": "running",
            "driver": "ganeti",
            "config_drive": False,
            "num_cpus": LARGE.vcpus,
            "num_nics": 1,
            "num_disks": 1 if LARGE.disk_gib else 0,
            "memory_details": {"maximum": LARGE.ram_mib, "used": None},
            **dict.fromkeys(("hypervisor", "hypervisor_os", "uptime")),
        }
        self.assertEqual(expected, shown)

    def test_free(self) -> None:
        """Older versions have a form of their own."""
        shown = self.call("GET", self.url, by=ADMIN, version="2.47").json
        self.assertEqual(LARGE.ram_mib * 1024, shown["memory"])
        self.assertEqual(LARGE.vcpus, shown["vcpus"])

    def test_not_running(self) -> None:
        """Of a server that does not run nothing is told."""
        for observed in (Observed.DOWN, Observed.BUILD, Observed.UNKNOWN):
            self.live(self.id, Life(observed))
            reply = self.call("GET", self.url, by=ADMIN)
            self.assertEqual(409, reply.code, observed)
            self.assertIn("get_diagnostics", reply.message)

    def test_for_admins(self) -> None:
        """As with Nova it is for admins, who see any server."""
        for user in (ALICE, READER, BOB):
            self.assertEqual(403, self.call("GET", self.url, by=user).code)
        missing = f"{SERVERS}/{uuid4()}/diagnostics"
        self.assertEqual(404, self.call("GET", missing, by=ADMIN).code)


class SynnefoTests(ApiTestCase):
    """``/compute/v2/servers/{id}/diagnostics``."""

    def setUp(self) -> None:
        super().setUp()
        self.id = self.server()
        self.url = f"{OLD}/{self.id}/diagnostics"

    def tell(self, message: str, time: float | None, times: int = 1) -> None:
        """Have something told of the server."""
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", UUID(self.id))
        report = DiagnosticReport(
            number, Level.INFO, "image-info", message, '{"type": "image-info"}', time
        )
        self.run_in(diagnostics.add, [report] * times)

    def test_list(self) -> None:
        """It is a bare list, the newest first; what came twice is there once."""
        self.assertEqual([], self.call("GET", self.url, by=ALICE).json)
        for message, time in (("a", 1.5e9), ("b", 1.7e9), ("c", 1.6e9), ("b", 1.7e9)):
            self.tell(message, time)
        self.tell("d", None, 2)
        self.tell("d", None)
        shown = self.call("GET", self.url, by=READER).json
        self.assertEqual(["d", "b", "c", "a"], [one["message"] for one in shown])
        self.assertEqual(
            {
                "level": "INFO",
                "source": "image-info",
                "source_date": "2017-07-14T02:40:00.000000",
                "created": shown[-1]["created"],
                "message": "a",
                "details": {"type": "image-info"},
            },
            shown[-1],
        )
        self.assertIsNone(shown[0]["source_date"])
        self.assertEqual(shown, self.call("GET", self.url, by=ADMIN).json)

    def test_bound(self) -> None:
        """A node that never stops talking fills nothing up."""
        self.sql(
            "INSERT INTO server_diagnostic (server_id, level, source, message, details)"
            " SELECT s.id, 'INFO', 'x', n::text, '{}' FROM server s,"
            " generate_series(1, %s) n",
            diagnostics.AT_MOST,
        )
        self.tell("one more", 1.7e9)
        shown = self.call("GET", self.url, by=ALICE).json
        self.assertEqual(diagnostics.AT_MOST, len(shown))

    def test_deleted(self) -> None:
        """Why a build failed can be read when its server is gone."""
        self.tell("broken", 1.7e9)
        fault = Fault("no", 0)
        self.live(self.id, Life(Observed.GONE, fault=fault, deletion_asked=True))
        self.assertEqual(1, len(self.call("GET", self.url, by=ALICE).json))

    def test_others(self) -> None:
        """Others' servers are not there."""
        self.assertEqual(404, self.call("GET", self.url, by=BOB).code)


class TopologyTests(ApiTestCase):
    """``/servers/{id}/topology``."""

    def test_nothing(self) -> None:
        """No guest has a layout of its own; younger versions do not ask."""
        url = f"{SERVERS}/{self.server()}/topology"
        for version, code in (("2.77", 404), ("2.78", 200), ("2.100", 200)):
            reply = self.call("GET", url, by=READER, version=version)
            self.assertEqual(code, reply.code)
        self.assertEqual({"nodes": [], "pagesize_kb": None}, reply.json)
        self.assertEqual(404, self.call("GET", url, by=BOB, version="2.78").code)


class StatsTests(ApiTestCase):
    """``/servers/{id}/stats``."""

    def test_none(self) -> None:
        """Without a service that draws them there are no graphs."""
        self.assertEqual(
            404, self.call("GET", f"{OLD}/{self.server()}/stats", by=ALICE).code
        )

    def test_graphs(self) -> None:
        """The four graphs are where the service draws them, for owners only."""
        self.graphs = GRAPHS
        self.site = self.new_site()
        server = self.server()
        url = f"{OLD}/{server}/stats"
        shown = self.call("GET", url, by=READER).json["stats"]
        [(number,)] = self.sql("SELECT id FROM server")
        hidden = hide(f"snf-{number}", "shared")
        root = "https://stats.test/stats/v1.0"
        self.assertEqual(
            {
                "serverRef": server,
                "refresh": 30,
                "cpuBar": f"{root}/cpu-bar/{hidden}",
                "cpuTimeSeries": f"{root}/cpu-ts/{hidden}",
                "netBar": f"{root}/net-bar/{hidden}",
                "netTimeSeries": f"{root}/net-ts/{hidden}",
            },
            shown,
        )
        self.assertEqual(404, self.call("GET", url, by=BOB).code)
        self.assertNotIn("shared", repr(GRAPHS))

    @given(st.text("snf-0123456789", min_size=1, max_size=64), st.text())
    def test_read_by_the_service(self, name: str, secret: str) -> None:
        """Whoever has the secret reads the name, as snf-stats-app does."""
        hidden = hide(name, secret)
        key = hashlib.sha256(secret.encode()).digest()
        cipher = Cipher(AES(key), ECB()).decryptor()
        plain = cipher.update(urlsafe_b64decode(unquote(hidden))) + cipher.finalize()
        self.assertEqual(name, plain.rstrip(b"\0").decode())
