"""``openstack`` (python-openstackclient), as an admin uses it."""

from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused
from tests.clients.test_openstack import number

VERSIONS = ("2.1", "2.53", None)


class AdminTests(ClientTestCase):
    """What only admins may do."""

    async def test_flavors(self) -> None:
        """They are made, described, opened to a project, and deleted."""
        await self.together(self.flavors, VERSIONS)

    def flavors(self, version: str | None) -> None:
        """One public and one private flavor."""
        client, minor = self.openstack(version, "admin"), number(version)
        name = f"flavor-{uuid4().hex[:6]}"
        made = client.json(
            f"flavor create --ram 256 --vcpus 2 --disk 3 --property a=b {name}",
            *(("--description", "first") if minor >= 55 else ()),
        )
        self.assertEqual(
            (256, 2, 3, {"a": "b"}),
            tuple(made[key] for key in ("ram", "vcpus", "disk", "properties")),
        )
        client(
            f"flavor set --property c=d {name}",
            *(("--description", "other") if minor >= 55 else ()),
        )
        client(f"flavor unset --property a {name}")
        shown = client.json(f"flavor show {name}")
        self.assertEqual({"c": "d"}, shown["properties"])
        if minor >= 55:
            self.assertEqual(
                ("first", "other"), (made["description"], shown["description"])
            )
        [row] = [
            one for one in client.json("flavor list --long") if one["Name"] == name
        ]
        self.assertEqual({"c": "d"}, row["Properties"])

        private = f"{name}-private"
        client(f"flavor create --ram 256 --vcpus 1 --disk 1 --private {private}")
        client(f"flavor set --project demo {private}")
        demo = client.json("project show demo")["id"]
        shown = client.json(f"flavor show {private}")
        self.assertEqual([demo], shown["access_project_ids"])
        member = self.openstack(version)
        self.assertIn(private, member("flavor list -f value -c Name").split())
        client(f"flavor unset --project demo {private}")
        self.assertNotIn(private, member("flavor list -f value -c Name").split())
        self.assertIn(private, client("flavor list --all -f value -c Name").split())
        client(f"flavor delete {name} {private}")
        left = client("flavor list --all -f value -c Name").split()
        self.assertEqual([], [one for one in left if one.startswith(name)])

    async def test_quotas(self) -> None:
        """They are set, listed and given back to the defaults."""
        await self.together(self.quotas, VERSIONS)

    def quotas(self, version: str | None) -> None:
        """The quotas of a project of its own."""
        client = self.openstack(version, "admin")
        name = f"project-{uuid4().hex[:6]}"
        project = client.json(f"project create {name}")["id"]
        client(f"quota set --cores 7 --instances 3 --ports 5 {name}")
        rows = client.json(f"quota show {name}")
        limits = {row["Resource"]: row["Limit"] for row in rows}
        self.assertEqual(
            (7, 3, 5), tuple(limits[key] for key in ("cores", "instances", "ports"))
        )
        [row] = [
            one
            for one in client.json("quota list --compute")
            if one["Project ID"] == project
        ]
        self.assertEqual((7, 3), (row["Cores"], row["Instances"]))
        client(f"quota delete {name}")
        rows = client.json(f"quota show {name}")
        self.assertIn({"Resource": "cores", "Limit": -1}, rows)
        usage = client.json(f"usage show --project {name}")
        self.assertEqual(project, usage["Project"])
        limits = client.json(f"limits show --absolute --project {name}")
        self.assertIn({"Name": "total_cores_used", "Value": 0}, limits)
        client(f"project delete {name}")

    async def test_hosts(self) -> None:
        """Each cluster is a host, which takes new servers or not."""
        await self.together(self.hosts, VERSIONS)

    def hosts(self, version: str | None) -> None:
        """All lists of them."""
        client = self.openstack(version, "admin")
        [service] = client.json("compute service list --long")
        host = service["Host"]
        self.assertEqual(("nova-compute", "up"), (service["Binary"], service["State"]))
        [hypervisor] = client.json("hypervisor list")
        self.assertEqual(host, hypervisor["Hypervisor Hostname"])
        shown = client.json(f"hypervisor show {host}")
        self.assertEqual(hypervisor["ID"], shown["id"])
        if number(version) < 88:
            self.assertEqual(
                shown["memory_mb"], shown["memory_mb_used"] + shown["free_ram_mb"]
            )
        self.assertEqual(1, client.json("hypervisor stats show")["count"])
        [zone] = client.json("availability zone list --compute --long")
        self.assertEqual(host, zone["Host Name"])
        self.assertEqual([], client.json("aggregate list"))
        self.assertIsInstance(client.json("usage list"), list)

    async def test_drain(self) -> None:
        """A host is disabled, for a reason, and enabled again."""
        await self.together(self.drain, (None,))

    def drain(self, version: str | None) -> None:
        """At each version in turn, since there is one host."""
        client = self.openstack(version, "admin")
        [service] = client.json("compute service list")
        one = f"{service['Host']} nova-compute"
        try:
            for each in VERSIONS:
                self.is_drained(self.openstack(each, "admin"), one)
        finally:
            client(f"compute service set --enable {one}")

    def is_drained(self, client: Program, one: str) -> None:
        """There and back, twice."""
        for options, status in (
            ("--disable", "disabled"),
            ("--enable", "enabled"),
            ("--disable --disable-reason fan", "disabled"),
            ("--enable", "enabled"),
        ):
            client(f"compute service set {options} {one}")
            [service] = client.json("compute service list")
            self.assertEqual(status, service["Status"])

    async def test_servers(self) -> None:
        """Those of all projects are listed."""
        await self.together(self.servers, (None,))

    def servers(self, version: str | None) -> None:
        """A member's server, as an admin finds it."""
        member, client = self.openstack(), self.openstack(version, "admin")
        name = f"osc-{uuid4().hex[:6]}"
        made = member.json(
            f"server create --flavor m1.tiny --image tiny --network default {name}"
        )
        [row] = client.json(f"server list --all-projects --long --name {name}")
        self.assertEqual((made["id"], name), (row["ID"], row["Name"]))
        [row] = client.json(f"server list --project demo --name {name}")
        self.assertEqual(made["id"], row["ID"])
        client(f"server delete --wait {made['id']}")
        [row] = client.json(f"server list --all-projects --deleted --name {name}")
        self.assertEqual("DELETED", row["Status"])


class IdentityTests(ClientTestCase):
    """Projects, users, groups and roles."""

    async def test_identity(self) -> None:
        """They are made, changed, brought together, and deleted."""
        await self.together(self.identity, (None,))

    def identity(self, version: str | None) -> None:
        """A project with a user in a group."""
        client = self.openstack(version, "admin")
        tail = uuid4().hex[:6]
        project, user, group = f"p-{tail}", f"u-{tail}", f"g-{tail}"
        made = client.json(f"project create --description first {project}-0")
        client(f"project set --name {project} --description other {project}-0")
        shown = client.json(f"project show {project}")
        self.assertEqual((made["id"], "other"), (shown["id"], shown["description"]))
        made = client.json(
            f"user create --password {tail}{tail} --project {project}"
            f" --email a@example.org {user}"
        )
        self.assertEqual(shown["id"], made["default_project_id"])
        client(f"user set --email b@example.org {user}")
        self.assertEqual("b@example.org", client.json(f"user show {user}")["email"])
        client.json(f"group create --description first {group}")
        client(f"group add user {group} {user}")
        self.assertIn("in group", client(f"group contains user {group} {user}"))
        [row] = client.json(f"user list --group {group}")
        self.assertEqual(user, row["Name"])
        [row] = client.json(f"group list --user {user}")
        self.assertEqual(group, row["Name"])
        self.roles(client, project, user, group)
        self.log_in(client, project, user, f"{tail}{tail}")
        client(f"group remove user {group} {user}")
        self.assertEqual([], client.json(f"user list --group {group}"))
        client(f"group set --description other {group}")
        self.assertEqual("other", client.json(f"group show {group}")["description"])
        client(f"user set --disable {user}")
        self.assertIs(False, client.json(f"user show {user}")["enabled"])
        for noun, name in (("group", group), ("user", user), ("project", project)):
            client(f"{noun} delete {name}")
            names = client(f"{noun} list -f value -c Name").split()
            self.assertNotIn(name, names)

    async def test_domains(self) -> None:
        """A domain has users, groups and projects of its own, and goes with them."""
        await self.together(self.domains, (None,))

    def domains(self, version: str | None) -> None:
        """A user of a domain, beside one of the same name in another."""
        client = self.openstack(version, "admin")
        tail = uuid4().hex[:6]
        domain, password = f"d-{tail}", f"{tail}{tail}"
        made = client.json(f"domain create --description first {domain}-0")
        client(f"domain set --name {domain} --description other {domain}-0")
        shown = client.json(f"domain show {domain}")
        self.assertEqual((made["id"], "other"), (shown["id"], shown["description"]))
        self.assertIn(domain, client("domain list -f value -c Name").split())
        client.json(f"project create --domain {domain} demo")
        user = client.json(f"user create --domain {domain} --password {password} demo")
        self.assertEqual(made["id"], user["domain_id"])
        client.json(f"group create --domain {domain} demo")
        client(
            "role add --user demo --project demo member"
            f" --user-domain {domain} --project-domain {domain}"
        )
        for noun in ("project", "user", "group"):
            [row] = client.json(f"{noun} list --domain {domain}")
            self.assertEqual("demo", row["Name"])
        environment = {
            name: value
            for name, value in client.environment.items()
            if not name.endswith("_DOMAIN_ID")
        } | {
            "OS_USERNAME": "demo",
            "OS_PASSWORD": password,
            "OS_PROJECT_NAME": "demo",
            "OS_USER_DOMAIN_NAME": domain,
            "OS_PROJECT_DOMAIN_NAME": domain,
        }
        theirs = Program("openstack", environment)
        self.assertEqual(user["id"], theirs.json("token issue")["user_id"])
        self.assertEqual([], theirs.json("server list"))
        with self.assertRaisesRegex(Refused, "403"):
            client(f"domain delete {domain}")
        client(f"domain set --disable {domain}")
        with self.assertRaisesRegex(Refused, "401"):
            theirs("token issue")
        client(f"domain delete {domain}")
        self.assertNotIn(domain, client("domain list -f value -c Name").split())
        with self.assertRaisesRegex(Refused, "No User found"):
            client(f"user show {user['id']}")

    def roles(self, client: Program, project: str, user: str, group: str) -> None:
        """Roles are given and taken, to a user and to a group."""
        for who, name in (("user", user), ("group", group)):
            client(f"role add --{who} {name} --project {project} member")
            listing = f"role assignment list --names --{who} {name} --project {project}"
            [row] = client.json(listing)
            self.assertEqual(
                ("member", f"{project}@Default"), (row["Role"], row["Project"])
            )
            client(f"role remove --{who} {name} --project {project} member")
            self.assertEqual([], client.json(listing))
        client(f"role add --group {group} --project {project} member")
        [row] = client.json(
            f"role assignment list --effective --names --user {user} --project {project}"
        )
        self.assertEqual("member", row["Role"])

    def log_in(self, client: Program, project: str, user: str, password: str) -> None:
        """The user has the group's role, and gives itself another password."""
        environment = {
            **client.environment,
            "OS_USERNAME": user,
            "OS_PASSWORD": password,
            "OS_PROJECT_NAME": project,
        }
        theirs = Program("openstack", environment)
        self.assertEqual([], theirs.json("server list"))
        theirs(
            f"user password set --original-password {password} --password {password}2"
        )
        theirs = Program("openstack", {**environment, "OS_PASSWORD": f"{password}2"})
        self.assertEqual(
            [project], [one["Name"] for one in theirs.json("project list")]
        )
