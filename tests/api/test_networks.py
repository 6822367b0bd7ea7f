"""``/network/v2.0``: networks, subnets and ports, to be read."""

from uuid import uuid4

from attrs import evolve

from snf.core.server import Life, Observed
from snf.storage import networks
from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, PROJECT_A, PROJECT_B, SUBNET
from tests.api.case import ROOT, ApiTestCase, Reply

V2 = "/network/v2.0"
TIMES = {"created_at", "updated_at"}


class NetworkTestCase(ApiTestCase):
    """A test about networks."""

    def get(self, path: str) -> Reply:
        """Ask for something."""
        return self.call("GET", f"{V2}/{path}", by=ALICE)

    def ids(self, path: str) -> list[str]:
        """Return the ids that a list has."""
        reply = self.get(path)
        self.assertEqual(200, reply.code, (path, reply.text))
        [found] = (value for value in reply.json.values() if isinstance(value, list))
        return [one["id"] for one in found]

    def add(self, **changes) -> str:
        """Store another network, and return its id."""
        network = evolve(NETWORK, id=uuid4(), is_default=False, **changes)
        self.run_in(networks.add, network)
        return str(network.id)


class ShapeTests(NetworkTestCase):
    """What each of them shows."""

    def assert_shown(self, kind: str, expected: dict) -> None:
        """Lists and shows have the keys and values expected, and times."""
        [listed] = self.get(f"{kind}s").json[f"{kind}s"]
        self.assertEqual({kind: listed}, self.get(f"{kind}s/{listed['id']}").json)
        for name in TIMES:
            self.assertRegex(listed.pop(name), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(expected, listed)

    def test_network(self) -> None:
        """A network."""
        self.assert_shown(
            "network",
            {
                "id": str(NETWORK.id),
                "name": "default",
                "tenant_id": "",
                "project_id": "",
                "admin_state_up": True,
                "mtu": 1500,
                "status": "ACTIVE",
                "subnets": [str(SUBNET.id)],
                "shared": True,
                "availability_zone_hints": [],
                "availability_zones": [],
                "ipv4_address_scope": None,
                "ipv6_address_scope": None,
                "router:external": False,
                "is_default": True,
                "description": "",
                "port_security_enabled": True,
                "SNF:kind": "CUSTOM",
                "tags": [],
                "revision_number": 1,
            },
        )

    def test_subnet(self) -> None:
        """A subnet."""
        self.assert_shown(
            "subnet",
            {
                "id": str(SUBNET.id),
                "name": "",
                "tenant_id": "",
                "project_id": "",
                "network_id": str(NETWORK.id),
                "ip_version": 4,
                "subnetpool_id": None,
                "enable_dhcp": True,
                "ipv6_ra_mode": None,
                "ipv6_address_mode": None,
                "gateway_ip": "192.0.2.1",
                "cidr": "192.0.2.0/24",
                "allocation_pools": [{"start": "192.0.2.10", "end": "192.0.2.200"}],
                "host_routes": [],
                "dns_nameservers": [],
                "description": "",
                "service_types": [],
                "router:external": False,
                "tags": [],
                "revision_number": 0,
            },
        )

    def test_port(self) -> None:
        """A server's port."""
        server = self.server()
        [(port, mac)] = self.sql("SELECT id, mac::text FROM port")
        [(group,)] = self.sql("SELECT id FROM security_group")
        address = {"subnet_id": str(SUBNET.id), "ip_address": "192.0.2.10"}
        self.assert_shown(
            "port",
            {
                "id": str(port),
                "name": "",
                "network_id": str(NETWORK.id),
                "tenant_id": str(PROJECT_A.id),
                "project_id": str(PROJECT_A.id),
                "mac_address": mac,
                "admin_state_up": True,
                "status": "BUILD",
                "device_id": server,
                "device_owner": "compute:nova",
                "fixed_ips": [address],
                "allowed_address_pairs": [],
                "extra_dhcp_opts": [],
                "security_groups": [str(group)],
                "description": "",
                "binding:vnic_type": "normal",
                "port_security_enabled": True,
                "tags": [],
                "revision_number": 0,
            },
        )

    def test_port_goes(self) -> None:
        """With its server the port goes."""
        server = self.server()
        self.live(server, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual([], self.ids("ports"))

    def test_extensions(self) -> None:
        """What is offered besides the core is listed, and shown by its alias."""
        listed = self.get("extensions").json["extensions"]
        aliases = [one["alias"] for one in listed]
        self.assertTrue({"security-group", "standard-attr-tag"} <= {*aliases}, aliases)
        self.assertEqual(sorted(aliases), aliases)
        for one in listed:
            shown = self.get(f"extensions/{one['alias']}").json
            self.assertEqual({"extension": one}, shown)
        self.assertEqual(404, self.get("extensions/nothing").code)


class FilterTests(NetworkTestCase):
    """What narrows a list."""

    def test_networks(self) -> None:
        """By name and id, each once or several times."""
        other = self.add(name="other")
        default = str(NETWORK.id)
        for query, found in (
            ("name=default", {default}),
            ("name=default&name=other", {default, other}),
            ("name=", set()),
            ("name=%27", set()),
            (f"id={other}", {other}),
            (f"id={other}&id={default}", {other, default}),
            ("id=x", set()),
            (f"name=other&id={default}", set()),
        ):
            self.assertEqual(found, set(self.ids(f"networks?{query}")), query)

    def test_ports(self) -> None:
        """By server and network; what no server is finds nothing."""
        first, _second = self.server(), self.server()
        self.assertEqual(2, len(self.ids("ports")))
        self.assertEqual(2, len(self.ids(f"ports?network_id={NETWORK.id}")))
        self.assertEqual(1, len(self.ids(f"ports?device_id={first}")))
        for query in ("device_id=x", "device_id=", f"network_id={uuid4()}", "name=x"):
            self.assertEqual([], self.ids(f"ports?{query}"), query)

    def test_addresses_of_ports(self) -> None:
        """Ports by their addresses, subnets and MAC addresses."""
        self.server()
        [(mac,)] = self.sql("SELECT mac::text FROM port")
        for query, count in (
            ("fixed_ips=ip_address%3D192.0.2.10", 1),
            ("fixed_ips=ip_address%3D192.0.2.11", 0),
            ("fixed_ips=ip_address%3Dx", 0),
            (f"fixed_ips=subnet_id%3D{SUBNET.id}", 1),
            (f"fixed_ips=subnet_id%3D{SUBNET.id}&fixed_ips=ip_address%3D192.0.2.9", 0),
            (f"mac_address={mac}", 1),
            (f"mac_address={mac.upper()}", 1),
            ("mac_address=x", 0),
            ("device_owner=compute:nova", 1),
            ("status=BUILD&status=DOWN", 1),
            ("status=DOWN", 0),
        ):
            self.assertEqual(count, len(self.ids(f"ports?{query}")), query)
        self.assertEqual(400, self.get("ports?fixed_ips=192.0.2.10").code)

    def test_flags(self) -> None:
        """By what is yes or no; what is neither is a 400 that says so."""
        for query, count in (
            ("shared=True", 1),
            ("shared=0", 0),
            ("router:external=false&admin_state_up=1&mtu=1500&status=ACTIVE", 1),
            ("mtu=x", 0),
            ("mtu=99999999999999999999", 0),
        ):
            self.assertEqual(count, len(self.ids(f"networks?{query}")), query)
        reply = self.get("networks?shared=perhaps")
        self.assertEqual(400, reply.code)
        self.assertEqual("InvalidInput", reply.json["NeutronError"]["type"])

    def test_unknown(self) -> None:
        """What is not known narrows nothing, and is refused, as Neutron does."""
        reply = self.get("networks?colour=red")
        self.assertEqual(400, reply.code)
        self.assertIn("is invalid attribute for filtering", reply.message)

    def test_subnets(self) -> None:
        """By network."""
        self.assertEqual(1, len(self.ids(f"subnets?network_id={NETWORK.id}")))
        self.assertEqual([], self.ids(f"subnets?network_id={uuid4()}"))

    def test_fields(self) -> None:
        """Only the fields asked for; the parameter may be repeated."""
        query = "fields=id&fields=name&fields=nothing"
        [network] = self.get(f"networks?{query}").json["networks"]
        self.assertEqual({"id": str(NETWORK.id), "name": "default"}, network)
        shown = self.get(f"networks/{NETWORK.id}?fields=name").json
        self.assertEqual({"network": {"name": "default"}}, shown)


class PageTests(NetworkTestCase):
    """Lists in pages."""

    page_size = 3

    def test_walk(self) -> None:
        """A walk through the pages meets everything once, filters kept."""
        for number in range(6):
            self.add(name="a&b" if number % 2 else "c")
        for query, count in (
            ("", 7),
            ("?limit=2", 7),
            ("?limit=1", 7),
            ("?limit=1&name=a%26b&fields=id", 3),
        ):
            met: list[str] = []
            path = f"networks{query}"
            while path:
                page = self.get(path).json
                met += [network["id"] for network in page["networks"]]
                links = {
                    link["rel"]: link["href"] for link in page.get("networks_links", [])
                }
                path = links.get("next", "").removeprefix(f"{ROOT}{V2}/")
            self.assertEqual((count, count), (len(met), len(set(met))), query)

    def test_sorted_walk(self) -> None:
        """In whatever order, a walk meets everything once, and so it does backwards."""
        self.named: dict[str, str] = {}
        for number in range(6):
            network = self.add(name=f"n{number % 3}", shared=bool(number % 2))
            self.named[network] = f"n{number % 3}"
        for query in (
            "sort_key=name&sort_dir=desc",
            "sort_key=name",
            "sort_key=shared&sort_key=name&sort_dir=desc&sort_dir=asc",
            "sort_key=status&sort_key=admin_state_up&sort_dir=asc&sort_dir=asc",
            "page_reverse=true&sort_key=name",
            "page_reverse=true",
        ):
            met: list[str] = []
            backwards = "page_reverse" in query
            while len(met) < 20:
                after = ""
                if met:
                    after = f"&marker={met[0] if backwards else met[-1]}"
                reply = self.call("GET", f"{V2}/networks?{query}{after}", by=ADMIN)
                page = [one["id"] for one in reply.json["networks"]]
                if not page:
                    break
                met = [*page, *met] if backwards else [*met, *page]
            self.assertEqual((7, 7), (len(met), len(set(met))), query)
            if "sort_key=name" in query and "shared" not in query:
                names = [f"n{number // 2}" for number in range(6)]
                found = [self.named[one] for one in met if one in self.named]
                self.assertEqual(names, sorted(found))
                self.assertIn(found, (names, names[::-1]))

    def test_order(self) -> None:
        """Sorted by a field, either way."""
        for name in ("b", "a", "c"):
            self.add(name=name)
        for way, expected in (
            ("asc", ["a", "b", "c"]),
            ("desc", ["default", "c", "b"]),
        ):
            page = self.get(f"networks?sort_key=name&sort_dir={way}").json["networks"]
            self.assertEqual(expected, [one["name"] for one in page])

    def test_bad_order(self) -> None:
        """What cannot be sorted by is a 400 that says so; a strange marker is a 404."""
        for query in (
            "sort_key=nothing",
            "sort_key=name&sort_dir=up",
            "sort_key=name&sort_dir=asc&sort_dir=asc",
            "sort_dir=asc",
            "sort_key=tags",
        ):
            self.assertEqual(400, self.get(f"networks?{query}").code, query)
        reply = self.get(f"networks?sort_key=name&marker={uuid4()}")
        self.assertEqual(404, reply.code)
        self.assertEqual("NetworkNotFound", reply.json["NeutronError"]["type"])

    def test_bad(self) -> None:
        """A marker that is no id and a bad limit are a 400, in Neutron's shape."""
        for kind in ("networks", "subnets", "ports"):
            for query in ("marker=x", "limit=-1", "limit=x"):
                reply = self.get(f"{kind}?{query}")
                self.assertEqual(400, reply.code)
                self.assertEqual("BadRequest", reply.json["NeutronError"]["type"])


class MissingTests(NetworkTestCase):
    """What is not there."""

    def test_shape(self) -> None:
        """Neutron's 404 names the kind of thing and what was looked for."""
        for kind in ("network", "subnet", "port"):
            for text in ("default", str(uuid4())):
                reply = self.get(f"{kind}s/{text}")
                self.assertEqual(404, reply.code)
                self.assertEqual(
                    {
                        "NeutronError": {
                            "type": f"{kind.title()}NotFound",
                            "message": f"{kind.title()} {text} could not be found.",
                            "detail": "",
                        }
                    },
                    reply.json,
                )


class ComputeTests(ApiTestCase):
    """``os-networks`` of the compute API, for clients of old."""

    def test_list(self) -> None:
        """A network has its id and its name, and nothing of what Nova once knew."""
        path = "/compute/v2/os-networks"
        [network] = self.call("GET", path, by=ALICE).json["networks"]
        self.assertEqual(
            (str(NETWORK.id), "default"), (network.pop("id"), network.pop("label"))
        )
        self.assertIn("cidr", network)
        self.assertEqual({None}, set(network.values()))
        shown = self.call("GET", f"{path}/{NETWORK.id}", by=ALICE)
        self.assertEqual("default", shown.json["network"]["label"])

    def test_foreign(self) -> None:
        """Another project's is neither listed nor shown."""
        theirs = evolve(
            NETWORK,
            id=uuid4(),
            name="x",
            project=PROJECT_B.id,
            shared=False,
            is_default=False,
        )
        self.run_in(networks.add, theirs)
        path = "/compute/v2.1/os-networks"
        found = self.call("GET", path, by=ALICE).json["networks"]
        self.assertEqual(["default"], [one["label"] for one in found])
        for wrong in (theirs.id, uuid4(), "x"):
            self.assertEqual(404, self.call("GET", f"{path}/{wrong}", by=ALICE).code)
        self.assertEqual(200, self.call("GET", f"{path}/{theirs.id}", by=BOB).code)

    def test_gone(self) -> None:
        """From 2.36 on it is not there: networks have an API of their own."""
        headers = {"OpenStack-API-Version": "compute 2.36"}
        for path in ("os-networks", f"os-networks/{NETWORK.id}"):
            path = f"/compute/v2.1/{path}"
            self.assertEqual(
                404, self.call("GET", path, by=ALICE, headers=headers).code
            )
