"""A small world for tests: a cluster, users, flavors, an image and a network."""

from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID

from snf.core import passwords
from snf.core.catalog import Cluster, Flavor, Image
from snf.core.identity import Project, Role, User
from snf.core.network import Network
from snf.core.subnet import Pool, Subnet
from snf.storage import clusters, flavors, images, networks, subnets, users
from snf.storage.database import Transaction

_THEN = datetime(2026, 11, 1, tzinfo=UTC)


def _id(number: int) -> UUID:
    return UUID(int=number, version=4)


ALICE = User(id=_id(0xA11CE), name="alice", default_project=_id(0x9A))
BOB = User(id=_id(0xB0B), name="bob", default_project=_id(0x9B))
ADMIN = User(id=_id(0xAD), name="admin", default_project=_id(0x9C))
READER = User(id=_id(0x4EAD), name="reader", default_project=_id(0x9A))

PROJECT_A = Project(id=_id(0x9A), name="alpha")
PROJECT_B = Project(id=_id(0x9B), name="beta")
PROJECT_ADMIN = Project(id=_id(0x9C), name="admin")

SMALL = Flavor(_id(0xF1), "small", 1, 128, 1, "file")
LARGE = Flavor(_id(0xF2), "large", 4, 4096, 40, "file")

TINY = Image(
    id=_id(0x1A),
    name="tiny",
    os="cyclades+default",
    created=_THEN,
    updated=_THEN,
    properties={"os": "linux"},
)

NETWORK = Network(
    id=_id(0xE1),
    name="default",
    mode="bridged",
    link="br0",
    created=_THEN,
    updated=_THEN,
    shared=True,
    is_default=True,
)

SUBNET = Subnet(
    id=_id(0x5B),
    network=NETWORK.id,
    cidr="192.0.2.0/24",
    pools=(Pool(ip_address("192.0.2.10"), ip_address("192.0.2.200")),),
    created=_THEN,
    gateway=ip_address("192.0.2.1"),
)

CLUSTER = Cluster(
    id=0,
    name="ganeti1.test",
    url="https://ganeti1.test:5080",
    username="cyclades",
    password_file="/nowhere",
)

PASSWORD = "correct horse"


def make(txn: Transaction) -> None:
    """Store it all; every user's password is :data:`PASSWORD`."""
    digest = passwords.digest(PASSWORD, b"salt", cost=2)
    for project in (PROJECT_A, PROJECT_B, PROJECT_ADMIN):
        users.add_project(txn, project)
    for user, project, role in (
        (ALICE, PROJECT_A, Role.MEMBER),
        (BOB, PROJECT_B, Role.MEMBER),
        (ADMIN, PROJECT_ADMIN, Role.ADMIN),
        (READER, PROJECT_A, Role.READER),
    ):
        users.add_user(txn, user, digest)
        users.assign(txn, user.id, project.id, role)
    flavors.add(txn, SMALL)
    flavors.add(txn, LARGE)
    images.add(txn, TINY)
    networks.add(txn, NETWORK)
    subnets.add(txn, SUBNET)
    clusters.add(txn, CLUSTER)
