"""Configuration: a TOML file becomes frozen settings, or one clear sentence.

Every table of a file is one class here; a class's defaults are the defaults.  Secrets
are never written in these files: a key that ends in ``_file`` names the file that
holds one.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import SplitResult, urlsplit

from attrs import NOTHING, fields, frozen, has

_Settings = TypeVar("_Settings")


class ConfigError(Exception):
    """A setting is wrong; the text names the file, the table and the key."""


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

    def check(self) -> None:
        _at_least("max_body_bytes", self.max_body_bytes, 1024)
        _at_least("page_size", self.page_size, 1)
        parts = _url("public_url", self.public_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("public_url: must be an http or https URL")
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
    server_groups: int = -1
    server_group_members: int = -1

    def check(self) -> None:
        for field in fields(Quota):
            most = getattr(self, field.name)
            _at_least(field.name, most, -1)
            if most > _MOST:
                raise ValueError(f"{field.name}: must be at most {_MOST}")


_MOST = 2**31 - 1


_PROFILES = ("protected", "limited", "unprotected")


@frozen
class Network:
    """``[network]``: what the ports of servers are like.

    :ivar default_firewall: The profile whose rules a project's default security group
        has at first.
    :ivar firewall_profiles: The profiles that the operator has added on all nodes.
    """

    default_firewall: str = "unprotected"
    firewall_profiles: tuple[str, ...] = ()

    def check(self) -> None:
        if self.default_firewall not in _PROFILES:
            raise ValueError(f"default_firewall: must be one of {', '.join(_PROFILES)}")
        for word in self.firewall_profiles:
            if not _PROFILE.fullmatch(word) or word in (*_PROFILES, "rules"):
                raise ValueError(
                    f"firewall_profiles: {word!r}: must be the name of a file of "
                    "/etc/snf-network/profiles without .nft, of small letters, digits, "
                    "- and _, other than the built-in ones"
                )


# As ganeti/network/nic.py has it.
_PROFILE = re.compile(r"[a-z][a-z0-9_-]{0,30}")


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
    quota: Quota = Quota()
    network: Network = Network()
    stats: Stats = Stats()
    ganeti: Ganeti = Ganeti()
    submitter: Submitter = Submitter()
    reconciler: Reconciler = Reconciler()
    retention: Retention = Retention()


@frozen
class Simulation:
    """``[simulation]``: the Ganeti cluster that the demo plays.

    :ivar cluster: Its name; the user and the password are those that the cloud has
        for the cluster of that name.
    :ivar port: Where its remote API listens on 127.0.0.1; 0 is any that is free.
    :ivar create_s: How long a job takes that makes an instance; and so on.
    """

    cluster: str = "ganeti.demo.test"
    port: int = 0
    create_s: float = 4.0
    start_s: float = 2.0
    stop_s: float = 2.0
    reboot_s: float = 3.0
    delete_s: float = 2.0

    def check(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port: must be from 0 to 65535")
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


def load(path: Path, kind: type[_Settings]) -> _Settings:
    """
    Read a TOML file into one of the classes above.

    :raises ConfigError: The file cannot be read, is not TOML, has a table or key that
        is not known, lacks one that is needed, or a value is of the wrong type or size.
    """
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as failure:
        raise ConfigError(f"{path}: {failure.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise ConfigError(f"{path}: {failure}") from None
    return _build(str(path), kind, tables)


def secret(path: Path) -> str:
    """
    Return what a secret's file holds, without the newline at its end.

    :raises ConfigError: It cannot be read or is empty.
    """
    try:
        text = path.read_text("utf-8").rstrip("\n")
    except OSError as failure:
        raise ConfigError(f"{path}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None
    if not text:
        raise ConfigError(f"{path}: is empty")
    return text


def _at_least(key: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{key}: must be at least {least}")


def _url(key: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as failure:
        raise ValueError(f"{key}: is not a URL: {failure}") from None
    return parts


def _build(where: str, kind: type[_Settings], given: Mapping[str, Any]) -> _Settings:
    hints = get_type_hints(kind)
    known = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: {key}: not known; one of {', '.join(known)}")
    for key, default in known.items():
        if default is NOTHING and key not in given:
            raise ConfigError(f"{where}: {key}: is missing")
    settings = kind(
        **{key: _value(f"{where}: {key}", hints[key], given[key]) for key in given}
    )
    try:
        getattr(settings, "check", lambda: None)()
    except ValueError as failure:
        raise ConfigError(f"{where}: {failure}") from None
    return settings


_WORDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _value(where: str, hint: Any, given: Any) -> Any:
    """Return what a key's value stands for, which must be as its class says."""
    if has(hint):
        return _build(where, hint, _plain(where, dict, given))
    if get_origin(hint) in (Union, UnionType):
        [hint] = [choice for choice in get_args(hint) if choice is not type(None)]
    if get_origin(hint) is tuple:
        items = _plain(where, list, given)
        return tuple(_value(where, get_args(hint)[0], item) for item in items)
    if hint is Path:
        return _path(where, _plain(where, str, given))
    if hint is float:
        return _number(where, given)
    return _plain(where, hint, given)


def _path(where: str, text: str) -> Path:
    if not text or "\0" in text:
        raise ConfigError(f"{where}: must be a path, not {text!r}")
    return Path(text)


def _number(where: str, given: Any) -> float:
    if type(given) is int and abs(given) < 2**53:
        return float(given)
    number = _plain(where, float, given)
    if not math.isfinite(number):
        raise ConfigError(f"{where}: must be a number, not {number}")
    return number


def _plain(where: str, kind: type, given: Any) -> Any:
    if type(given) is not kind:
        raise ConfigError(f"{where}: must be {_WORDS[kind]}, not {given!r}")
    return given
