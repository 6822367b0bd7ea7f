"""A world in which everybody has one thing of every kind that a URL can name."""

from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from attrs import evolve

from snf.core.identity import Group, Project, Role, User
from snf.core.quota import NO_LIMITS
from snf.core.server import Life, Observed
from snf.core.server_group import Policy, ServerGroup
from snf.storage import (
    domains,
    flavors,
    grants,
    groups,
    image_members,
    images,
    networks,
    security_groups,
    server_groups,
    subnets,
    tagged,
    tags,
)
from snf.storage import users as accounts
from snf.storage.grants import Holder
from snf.storage.image_members import Member
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    EXTERNAL,
    EXTERNAL_SUBNET,
    NETWORK,
    PROJECT_A,
    PROJECT_ADMIN,
    PROJECT_B,
    READER,
    SMALL,
    SUBNET,
    TINY,
)
from tests.api.case import ApiTestCase
from tests.api.routes import Served
from tests.api.situations import (
    CLOSED_DOMAIN,
    EMPTY_PROJECT,
    PUBLIC_KEY,
    Belongings,
    things,
)

_THEN = datetime(2026, 11, 1, tzinfo=UTC)


class SituationTestCase(ApiTestCase):
    """A test in a world where everybody has one thing of every kind."""

    def setUp(self) -> None:
        super().setUp()
        self.run_in(accounts.add_project, EMPTY_PROJECT)
        self.run_in(networks.add, EXTERNAL)
        self.run_in(subnets.add, EXTERNAL_SUBNET)
        self.run_in(domains.add, CLOSED_DOMAIN)
        self.owned: dict[str, Belongings] = {
            user.name: self._belongings(user, project)
            for user, project in (
                (ALICE, PROJECT_A),
                (BOB, PROJECT_B),
                (ADMIN, PROJECT_ADMIN),
            )
        }
        reader = self._belongings_of_user(READER)
        self.owned["reader"] = {**self.owned["alice"], **reader}

    def _belongings(self, user: User, project: Project) -> Belongings:
        flavor, image, network, subnet = uuid4(), uuid4(), uuid4(), uuid4()
        self.run_in(
            flavors.add, evolve(SMALL, id=flavor, name=str(flavor), public=False)
        )
        self.run_in(flavors.allow, flavor, project.id)
        self.run_in(flavors.set_specs, flavor, {"k": "v"})
        self.run_in(
            images.add,
            evolve(
                TINY,
                id=image,
                project=project.id,
                visibility="shared",
                properties={"k": "v"},
                tags=["t"],
            ),
        )
        self.run_in(
            image_members.add, Member(image, project.id, "pending", _THEN, _THEN)
        )
        queued, task = uuid4(), uuid4()
        self.run_in(
            images.add,
            evolve(
                TINY,
                id=queued,
                project=project.id,
                visibility="private",
                status="queued",
            ),
        )
        self.sql(
            "INSERT INTO image_upload (id, image_id, kind, state)"
            " VALUES (%s, %s, 'import', 'failure')",
            task,
            queued,
        )
        self.run_in(
            networks.add,
            evolve(
                NETWORK, id=network, project=project.id, shared=False, is_default=False
            ),
        )
        self.run_in(subnets.add, evolve(SUBNET, id=subnet, network=network))
        self.run_in(tagged.add, "network", network, "t")
        self.run_in(tagged.add, "subnet", subnet, "t")
        together = ServerGroup(uuid4(), project.id, user.id, "g", Policy.AFFINITY)
        self.run_in(server_groups.add, together, NO_LIMITS)
        [(cluster,)] = self.sql("SELECT id FROM cluster")
        own = self._belongings_of_user(user)
        group = UUID(own["group"])
        self.run_in(accounts.assign, user.id, project.id, Role.MEMBER)
        self.run_in(grants.give, Holder.GROUP, group, project.id, Role.MEMBER)
        return {
            **own,
            **self._server(user),
            **self._security_group(user, project),
            "cluster": str(cluster),
            "flavor": str(flavor),
            "image": str(image),
            "network": str(network),
            "project": str(project.id),
            "queued image": str(queued),
            "task": str(task),
            "server_group": str(together.id),
            "subnet": str(subnet),
        }

    def _server(self, user: User) -> Belongings:
        reply = self.create(user, metadata={"k": "v"})
        server = reply.json["server"]["id"]
        self.live(server, Life(Observed.UP))
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", server)
        self.run_in(tags.add, number, ["t"])
        [(port,)] = self.sql("SELECT id FROM port WHERE server_id = %s", number)
        self.run_in(tagged.add, "port", port, "t")
        request = reply.header("x-openstack-request-id") or ""
        new = {"floating_network_id": str(EXTERNAL.id)}
        got = self.call(
            "POST", "/network/v2.0/floatingips", {"floatingip": new}, by=user
        )
        floating = got.json["floatingip"]["id"]
        self.run_in(tagged.add, "floating_ip", UUID(floating), "t")
        return {
            "server": server,
            "port": str(port),
            "request": request,
            "floating_ip": floating,
        }

    def _security_group(self, user: User, project: Project) -> Belongings:
        group = uuid5(UUID(int=0x5EC), user.name)
        self.run_in(security_groups.add, group, project.id, "mine", "")
        self.run_in(tagged.add, "security_group", group, "t")
        found = self.run_in(security_groups.get, None, group)
        return {"security group": str(group), "rule": str(found.rules[0].id)}

    def _belongings_of_user(self, user: User) -> Belongings:
        group = Group(uuid4(), f"friends of {user.name}")
        self.run_in(groups.add, group)
        self.run_in(groups.join, group.id, user.id)
        reply = self.call(
            "POST",
            f"/identity/v3/users/{user.id}/application_credentials",
            {"application_credential": {"name": "mine"}},
            by=user,
        )
        name = f"key-of-{user.name}"
        keypair = {"keypair": {"name": name, "public_key": PUBLIC_KEY}}
        self.call("POST", "/compute/v2.1/os-keypairs", keypair, by=user)
        [key] = self.call("GET", "/userdata/keys", by=user).json
        return {
            "keypair": name,
            "key": str(key["id"]),
            "credential": reply.json["application_credential"]["id"],
            "group": str(group.id),
            "user": str(user.id),
        }

    def path(self, one: Served, whose: Belongings, without: str | None = None) -> str:
        """
        Return the URL of a route, with somebody's things in it.

        :param without: The name in it that is to stand for nothing.
        """
        words = {
            name: thing.missing if name == without else thing.of(whose)
            for name, thing in things(one).items()
        }
        return one.path.format(**words)
