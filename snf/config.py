"""The settings: every table of a file is one class, whose defaults are the defaults.

Secrets are never written in these files: a key that ends in ``_file`` names the file
that holds one.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from attrs import fields, frozen

from snf.toml import ConfigError as ConfigError
from snf.toml import load as load
from snf.toml import secret as secret


@frozen
class Services:
    """``[services]``: what this process does."""

    run: tuple[str, ...] = ("api", "submitter", "dispatcher", "reconciler")

    def check(self) -> None:
        known = ("api", "submitter", "dispatcher", "reconciler")
        for name in self.run:
            if name not in known:
                raise ValueError(f"run: {name!r} is not one of {', '.join(known)}")
            if self.run.count(name) > 1:
                raise ValueError(f"run: {name!r} is named twice")
        if not self.run:
            raise ValueError("run: name at least one service")


# Both of libpq's notations: password=... and postgresql://user:...@host.
_PASSWORD_IN_DSN = re.compile(r"\bpassword\s*=|^\w+://[^/@:]*:[^/@]*@")


@frozen
class Database:
    """``[database]``: where PostgreSQL is."""

    dsn: str
    password_file: Path | None = None
    threads: int = 8

    def check(self) -> None:
        _at_least("threads", self.threads, 1)
        if _PASSWORD_IN_DSN.search(self.dsn):
            raise ValueError("dsn: holds a password; put it into password_file")


@frozen
class Broker:
    """``[broker]``: where RabbitMQ is; ``memory:`` is a bus inside this process."""

    url: str
    password_file: Path | None = None
    ca_file: Path | None = None
    prefetch: int = 200

    def check(self) -> None:
        parts = _url("url", self.url)
        if parts.scheme not in ("amqp", "amqps", "memory"):
            raise ValueError("url: must begin with amqp://, amqps:// or memory:")
        if parts.password is not None:
            raise ValueError("url: holds a password; put it into password_file")
        _at_least("prefetch", self.prefetch, 1)


@frozen
class Api:
    """``[api]``: how clients reach the HTTP APIs."""

    listen: str = "tcp:8774:interface=127.0.0.1"
    public_url: str = "http://127.0.0.1:8774"
    max_body_bytes: int = 1_048_576
    page_size: int = 1000
    trusted_proxies: tuple[str, ...] = ()

    def check(self) -> None:
        for network in self.trusted_proxies:
            _network("trusted_proxies", network)
        _at_least("max_body_bytes", self.max_body_bytes, 1024)
        _at_least("page_size", self.page_size, 1)
        _web_url("public_url", self.public_url)
        if self.public_url.endswith("/"):
            raise ValueError("public_url: must not end in a slash")


_YEAR_S = 365 * 24 * 3600


@frozen
class Identity:
    """``[identity]``: the embedded users and their tokens."""

    token_lifetime_s: int = 14_400
    region: str = "RegionOne"

    def check(self) -> None:
        _at_least("token_lifetime_s", self.token_lifetime_s, 60)
        if self.token_lifetime_s > _YEAR_S:
            raise ValueError(f"token_lifetime_s: must be at most {_YEAR_S}, a year")


@frozen
class Keystone:
    """``[keystone]``: an identity service of somebody else's; without it, our own."""

    auth_url: str | None = None
    public_url: str | None = None
    user: str = "cyclades"
    user_domain: str = "Default"
    project: str = "service"
    project_domain: str = "Default"
    password_file: Path | None = None
    tls: str = "verify"
    ca_file: Path | None = None
    admin_role: str = "admin"
    member_role: str = "member"
    reader_role: str = "reader"
    cache_s: float = 60.0
    timeout_s: float = 10.0
    at_once: int = 10

    def check(self) -> None:
        if self.auth_url is None:
            if self != Keystone():
                raise ValueError("auth_url: is missing")
            return
        for key in ("auth_url", "public_url"):
            _web_url(key, getattr(self, key) or self.auth_url)
        if self.password_file is None:
            raise ValueError("password_file: is missing")
        if self.tls not in ("verify", "pinned"):
            raise ValueError("tls: must be verify or pinned")
        if self.tls == "pinned" and self.ca_file is None:
            raise ValueError("ca_file: a pinned certificate needs the file it is in")
        if len({self.admin_role, self.member_role, self.reader_role}) < 3:
            raise ValueError("admin_role, member_role, reader_role: must differ")
        _within("cache_s", self.cache_s, 0, 60)
        _within("timeout_s", self.timeout_s, 0.1, 60)
        _within("at_once", self.at_once, 1, 100)


@frozen
class Quota:
    """``[quota]``: what a project may have at most; -1 is as much as it wants."""

    instances: int = -1
    cores: int = -1
    ram_mib: int = -1
    disk_gib: int = -1
    ports: int = -1
    fixed_ips: int = -1
    floating_ips: int = -1
    security_groups: int = -1
    security_group_rules: int = -1
    networks: int = -1
    subnets: int = -1
    server_groups: int = -1
    server_group_members: int = -1
    image_bytes: int = -1

    def check(self) -> None:
        for field in fields(Quota):
            most = getattr(self, field.name)
            _at_least(field.name, most, -1)
            largest = _MOST_BYTES if field.name.endswith("_bytes") else _MOST
            if most > largest:
                raise ValueError(f"{field.name}: must be at most {largest}")


_MOST = 2**31 - 1
_MOST_BYTES = 2**60

_PROFILES = ("protected", "limited", "unprotected")

# As ganeti/network/nic.py has it.
_PROFILE = re.compile(r"[a-z][a-z0-9_-]{0,30}")


@frozen
class Network:
    """``[network]``: the networks that users and admins may make, and their firewall.

    Ranges are the first and the last; an empty one has nothing.

    :ivar default_firewall: The profile whose rules a project's default security group
        has at first.
    :ivar firewall_profiles: The profiles that the operator has added on all nodes.
    """

    user_kinds: tuple[str, ...] = ("MAC_FILTERED",)
    default_kind: str = "MAC_FILTERED"
    routed_link: str = "snf_public"
    filtered_bridge: str = "prv0"
    mac_prefixes: tuple[str, ...] = ("aa:01:0", "aa:ff:f")
    bridge_prefix: str = "prv"
    bridges: tuple[int, ...] = ()
    vxlan_ids: tuple[int, ...] = (10_000, 19_999)
    mtu: int = 1500
    vxlan_mtu: int = 1450
    default_firewall: str = "unprotected"
    firewall_profiles: tuple[str, ...] = ()

    def check(self) -> None:
        _one_of("default_firewall", self.default_firewall, _PROFILES)
        _profiles("firewall_profiles", self.firewall_profiles)
        for kind in self.user_kinds:
            _one_of("user_kinds", kind, _KINDS)
        _one_of("default_kind", self.default_kind, _KINDS)
        for key in ("routed_link", "filtered_bridge"):
            if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", getattr(self, key)):
                raise ValueError(f"{key}: must be the name of an interface or a table")
        if not re.fullmatch(r"[a-z][a-z0-9]{0,9}", self.bridge_prefix):
            raise ValueError("bridge_prefix: must be some lower-case letters")
        _mac_prefixes(self.mac_prefixes)
        _range("bridges", self.bridges, 9999)
        _range("vxlan_ids", self.vxlan_ids, 2**24 - 1)
        for key in ("mtu", "vxlan_mtu"):
            if not 1280 <= getattr(self, key) <= 9216:
                raise ValueError(f"{key}: must be from 1280 to 9216")


# Those that follow from the configuration.
_KINDS = ("IP_LESS_ROUTED", "MAC_FILTERED", "PHYSICAL_VLAN", "VXLAN")


def _profiles(key: str, words: tuple[str, ...]) -> None:
    for word in words:
        if not _PROFILE.fullmatch(word) or word in (*_PROFILES, "rules"):
            raise ValueError(
                f"{key}: {word!r}: must be the name of a file of "
                "/etc/snf-network/profiles without .nft, of small letters, digits, - and "
                "_, other than the built-in ones"
            )


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(known)}")


def _range(key: str, ends: tuple[int, ...], most: int) -> None:
    if ends and (len(ends) != 2 or not 1 <= ends[0] <= ends[1] <= most):
        raise ValueError(f"{key}: must be the first and the last, from 1 to {most}")


def _mac_prefixes(ends: tuple[str, ...]) -> None:
    for prefix in ends:
        # Locally administered, and of one interface only.
        if not re.fullmatch(r"[0-9a-f][26ae]:[0-9a-f]{2}:[0-9a-f]", prefix):
            raise ValueError(f"mac_prefixes: {prefix!r} is not one like 'aa:01:0'")
    if len(ends) != 2 or ends[0] > ends[1] or ends[0][:2] != ends[1][:2]:
        raise ValueError(
            "mac_prefixes: must be the first and the last, with the same first octet"
        )


@frozen
class Images:
    """``[images]``: the data of images that users bring.

    Sizes are in bytes.

    :ivar directory: Where it is kept; all processes that serve the API share it.
    :ivar max_bytes: What one image may have.
    :ivar max_virtual_bytes: What the disk in one may have.
    :ivar staged_hours: How long data that was staged waits to be imported.
    :ivar web_download: Whether users may have images fetched by URL.
    :ivar web_ports: Of the servers from which that may be.
    :ivar web_allowed: Networks that may be fetched from although they are not public.
    :ivar web_denied: Public networks that may not be fetched from.
    :ivar web_timeout_s: How long fetching one may take.
    """

    directory: Path = Path("/var/lib/cyclades/images")
    max_bytes: int = 2**40
    max_virtual_bytes: int = 2**41
    staged_hours: int = 24
    web_download: bool = True
    web_ports: tuple[int, ...] = (80, 443)
    web_allowed: tuple[str, ...] = ()
    web_denied: tuple[str, ...] = ()
    web_timeout_s: int = 21_600

    def check(self) -> None:
        if not self.directory.is_absolute():
            raise ValueError("directory: must be an absolute path")
        for key in ("max_bytes", "max_virtual_bytes"):
            _within(key, getattr(self, key), 1024 * 1024, _MOST_BYTES)
        _within("staged_hours", self.staged_hours, 1, 24 * 365)
        _within("web_timeout_s", self.web_timeout_s, 1, 7 * 24 * 3600)
        for port in self.web_ports:
            _within("web_ports", port, 1, 65_535)
        for key in ("web_allowed", "web_denied"):
            for network in getattr(self, key):
                _network(key, network)


@frozen
class Stats:
    """``[stats]``: the service that draws graphs of servers, snf-stats-app."""

    url: str = ""
    secret_file: Path | None = None
    refresh_s: int = 60

    def check(self) -> None:
        _at_least("refresh_s", self.refresh_s, 1)
        if not self.url:
            return
        parts = _url("url", self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("url: must be an http or https URL")
        if self.url.endswith("/"):
            raise ValueError("url: must not end in a slash")
        if self.secret_file is None:
            raise ValueError("secret_file: is needed where there is a url")


@frozen
class Ganeti:
    """``[ganeti]``: what is common to all clusters."""

    instance_prefix: str = "snf"
    shutdown_timeout_s: int = 120
    request_timeout_s: float = 40.0

    def check(self) -> None:
        if not self.instance_prefix.isalnum() or not self.instance_prefix.isascii():
            raise ValueError("instance_prefix: letters and digits only")
        _at_least("shutdown_timeout_s", self.shutdown_timeout_s, 1)
        _at_least("request_timeout_s", self.request_timeout_s, 1)


@frozen
class Nodes:
    """``[nodes]``: how Ganeti's nodes get images, and what guests are to be told.

    :ivar url: Where they reach the API; None is for where clients do.
    :ivar shared_images: Whether they have the images' directory themselves.
    :ivar force_config_drive: Whether guests have a config drive that clients want none
        for.
    """

    key_file: Path | None = None
    url: str | None = None
    url_lifetime_s: int = 1800
    shared_images: bool = False
    force_config_drive: bool = True

    def check(self) -> None:
        if self.url is not None:
            _web_url("url", self.url)
            if self.url.endswith("/"):
                raise ValueError("url: must not end in a slash")
        _within("url_lifetime_s", self.url_lifetime_s, 60, 24 * 3600)


@frozen
class Submitter:
    """``[submitter]``: how orders go to Ganeti."""

    poll_s: float = 5.0
    per_cluster: int = 8
    attempts: int = 10
    settle_s: float = 2.0

    def check(self) -> None:
        _at_least("poll_s", self.poll_s, 0.1)
        _at_least("per_cluster", self.per_cluster, 1)
        _at_least("attempts", self.attempts, 1)
        _at_least("settle_s", self.settle_s, 0)


@frozen
class Reconciler:
    """``[reconciler]``: how often the database is compared with the clusters.

    :ivar resize_confirm_window_s: After how long a resize is confirmed that nobody has
        confirmed; 0 is never.
    """

    interval_s: float = 60.0
    resize_confirm_window_s: int = 0

    def check(self) -> None:
        _at_least("interval_s", self.interval_s, 1)
        _at_least("resize_confirm_window_s", self.resize_confirm_window_s, 0)
        if self.resize_confirm_window_s > _YEAR_S:
            raise ValueError(
                f"resize_confirm_window_s: must be at most {_YEAR_S}, a year"
            )


@frozen
class Retention:
    """``[retention]``: how long is kept what nobody works with any more."""

    days: int = 90

    def check(self) -> None:
        _at_least("days", self.days, 1)
        if self.days > _LONGEST_DAYS:
            raise ValueError(f"days: must be at most {_LONGEST_DAYS}")


# A hundred years: all that calendars can go back.
_LONGEST_DAYS = 36_500


@frozen
class Cyclades:
    """``cyclades.toml``, the file of ``twistd cyclades`` and ``snf-manage``."""

    database: Database
    broker: Broker
    services: Services = Services()
    api: Api = Api()
    identity: Identity = Identity()
    keystone: Keystone = Keystone()
    quota: Quota = Quota()
    network: Network = Network()
    images: Images = Images()
    stats: Stats = Stats()
    ganeti: Ganeti = Ganeti()
    nodes: Nodes = Nodes()
    submitter: Submitter = Submitter()
    reconciler: Reconciler = Reconciler()
    retention: Retention = Retention()


@frozen
class Simulation:
    """``[simulation]``: the Ganeti cluster that the demo plays.

    :ivar cluster: Its name; the user and the password are those that the cloud has
        for the cluster of that name.
    :ivar port: Where its remote API listens on 127.0.0.1; 0 is any that is free.
    :ivar nodes: How many nodes it has; servers are migrated where there are two.
    :ivar create_s: How long a job takes that makes an instance; and so on.
    """

    cluster: str = "ganeti.demo.test"
    port: int = 0
    nodes: int = 2
    create_s: float = 4.0
    start_s: float = 2.0
    stop_s: float = 2.0
    reboot_s: float = 3.0
    delete_s: float = 2.0

    def check(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port: must be from 0 to 65535")
        _at_least("nodes", self.nodes, 1)
        for name in ("create_s", "start_s", "stop_s", "reboot_s", "delete_s"):
            _at_least(name, getattr(self, name), 0)


@frozen
class Demo(Cyclades):
    """``cyclades.toml`` of ``twistd cyclades-demo``."""

    simulation: Simulation = Simulation()


@frozen
class Queue:
    """``[queue]``: Ganeti's job queue on this master."""

    directory: Path = Path("/var/lib/ganeti/queue")
    mark_file: Path = Path("/var/lib/snf-eventd/mark")


@frozen
class Spool:
    """``[spool]``: where the hook leaves its messages."""

    directory: Path = Path("/var/spool/snf-eventd")


@frozen
class Master:
    """``[master]``: how to tell whether this node is the master now."""

    ssconf_directory: Path = Path("/var/lib/ganeti")
    node_name: str = ""


@frozen
class Eventd:
    """``eventd.toml``, the file of ``twistd snf-eventd``."""

    broker: Broker
    queue: Queue = Queue()
    spool: Spool = Spool()
    master: Master = Master()
    ganeti: Ganeti = Ganeti()


def _at_least(key: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{key}: must be at least {least}")


def _within(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{key}: must be from {least} to {most}")


def _network(key: str, text: str) -> None:
    try:
        ip_network(text)
    except ValueError as failure:
        raise ValueError(f"{key}: {failure}") from None


def _web_url(key: str, text: str) -> None:
    parts = _url(key, text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{key}: must be an http or https URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{key}: must have no user, query or fragment in it")


def _url(key: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as failure:
        raise ValueError(f"{key}: is not a URL: {failure}") from None
    return parts
