"""What a new all-in-one holds: its cluster, users, flavors, images and network.

All of it is added where it is missing, so that it may be called at every start.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from uuid import uuid4

from attrs import frozen

from snf.allinone.credentials import PEOPLE, Person
from snf.allinone.files import password
from snf.allinone.layout import Layout
from snf.allinone.postgres import Postgres
from snf.core.catalog import Cluster, Flavor, Image
from snf.core.identity import Project, Role, User
from snf.core.network import Kind, Network
from snf.core.passwords import digest, matches
from snf.core.subnet import Pool, Subnet
from snf.storage import clusters, flavors, images, migrate, networks, subnets, users
from snf.storage.database import Transaction, connect

_NETWORK = "default"
_IMAGES = (
    # name, hypervisor
    ("tiny", "kvm"),
    ("tiny-fake", "fake"),
)


@frozen
class Site:
    """What differs between one all-in-one and the next.

    ``pool`` is the first and last address that servers may get; ``kind``, ``mode`` and
    ``link`` are those of their network; ``public6`` is its IPv6 range with its gateway,
    if it has any; ``disk_template`` is that of the flavors with a disk.
    """

    cluster: Cluster
    network: IPv4Network
    gateway: IPv4Address
    pool: tuple[IPv4Address, IPv4Address]
    kind: Kind
    mode: str
    link: str
    public6: tuple[IPv6Network, IPv6Address] | None = None
    disk_template: str = "file"


def seed(postgres: Postgres, layout: Layout, site: Site) -> None:
    """Bring the database's schema up to date and add what is missing."""
    with transaction(postgres) as txn:
        migrate.migrate(txn)
        fill(txn, layout, site)


@contextmanager
def transaction(postgres: Postgres) -> Iterator[Transaction]:
    """Give a transaction of the cloud's database, committed if no exception leaves it."""
    secret = postgres.password_file.read_text().strip()
    connection = connect(postgres.dsn, secret)
    try:
        with connection, connection.cursor() as txn:
            yield txn
    finally:
        connection.close()


def fill(txn: Transaction, layout: Layout, site: Site) -> None:
    """Add what is missing; passwords are made to be those in the layout's files."""
    _cluster(txn, site.cluster)
    for person in PEOPLE.values():
        _person(txn, person, layout.secret(f"user-{person.name}"))
    _flavors(txn, site.disk_template)
    _images(txn)
    _network(txn, site)


def _cluster(txn: Transaction, cluster: Cluster) -> None:
    if cluster.name not in {known.name for known in clusters.listing(txn)}:
        clusters.add(txn, cluster)


def _person(txn: Transaction, person: Person, password_file: Path) -> None:
    project = users.project(txn, None, person.project)
    if project is None:
        project = Project(uuid4(), person.project)
        users.add_project(txn, project)
    given = password(password_file)
    known = users.credentials(txn, None, person.name)
    if known is None:
        user = User(uuid4(), person.name, default_project=project.id)
        users.add_user(txn, user, digest(given, secrets.token_bytes(16)))
    else:
        user = known.user
        if not matches(given, known.password):
            kept = digest(given, secrets.token_bytes(16))
            users.set_password(txn, user.id, kept)
    users.assign(txn, user.id, project.id, Role(person.role))


def _flavors(txn: Transaction, template: str) -> None:
    known = {flavor.name for flavor in flavors.listing(txn, flavors.Wanted(), 1000)}
    for flavor in (
        Flavor(uuid4(), "m1.tiny", 1, 128, 0, "diskless"),
        Flavor(uuid4(), "m1.small", 1, 256, 1, template),
        Flavor(uuid4(), "m1.medium", 2, 512, 2, template),
    ):
        if flavor.name not in known:
            flavors.add(txn, flavor)


def _images(txn: Transaction) -> None:
    now = datetime.now(UTC)
    for name, hypervisor in _IMAGES:
        if not images.listing(txn, None, images.Wanted(name=name), 1):
            image = Image(
                id=uuid4(),
                name=name,
                os="cyclades+default",
                created=now,
                updated=now,
                hypervisor=hypervisor,
            )
            images.add(txn, image)


def _network(txn: Transaction, site: Site) -> None:
    if networks.named(txn, _NETWORK) is not None:
        return
    now = datetime.now(UTC)
    network = Network(
        id=uuid4(),
        name=_NETWORK,
        kind=site.kind,
        mode=site.mode,
        link=site.link,
        created=now,
        updated=now,
        shared=True,
        is_default=True,
    )
    networks.add(txn, network)
    first, last = site.pool
    subnet = Subnet(
        id=uuid4(),
        network=network.id,
        cidr=str(site.network),
        pools=(Pool(first, last),),
        created=now,
        name=_NETWORK,
        gateway=site.gateway,
        dhcp=True,
    )
    subnets.add(txn, subnet)
    if site.public6 is None:
        return
    range6, gateway6 = site.public6
    subnet6 = Subnet(
        id=uuid4(),
        network=network.id,
        cidr=str(range6),
        # Addresses follow from the MAC addresses; this is for show.
        pools=(Pool(range6[2], range6[-1]),),
        created=now,
        name=f"{_NETWORK}6",
        gateway=gateway6,
        dhcp=True,
        eui64=True,
    )
    subnets.add(txn, subnet6)
