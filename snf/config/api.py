"""How clients reach the HTTP APIs, who they are, and what they may have."""

from pathlib import Path

from attrs import fields, frozen

from snf.config.checks import (
    MOST_BYTES,
    YEAR_S,
    at_least,
    network_of,
    url_of,
    web_url,
    within,
)


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
            network_of("trusted_proxies", network)
        at_least("max_body_bytes", self.max_body_bytes, 1024)
        at_least("page_size", self.page_size, 1)
        web_url("public_url", self.public_url)
        if self.public_url.endswith("/"):
            raise ValueError("public_url: must not end in a slash")


@frozen
class Identity:
    """``[identity]``: the embedded users and their tokens."""

    token_lifetime_s: int = 14_400
    region: str = "RegionOne"

    def check(self) -> None:
        at_least("token_lifetime_s", self.token_lifetime_s, 60)
        if self.token_lifetime_s > YEAR_S:
            raise ValueError(f"token_lifetime_s: must be at most {YEAR_S}, a year")


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
            web_url(key, getattr(self, key) or self.auth_url)
        if self.password_file is None:
            raise ValueError("password_file: is missing")
        if self.tls not in ("verify", "pinned"):
            raise ValueError("tls: must be verify or pinned")
        if self.tls == "pinned" and self.ca_file is None:
            raise ValueError("ca_file: a pinned certificate needs the file it is in")
        if len({self.admin_role, self.member_role, self.reader_role}) < 3:
            raise ValueError("admin_role, member_role, reader_role: must differ")
        within("cache_s", self.cache_s, 0, 60)
        within("timeout_s", self.timeout_s, 0.1, 60)
        within("at_once", self.at_once, 1, 100)


_MOST = 2**31 - 1


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
            at_least(field.name, most, -1)
            largest = MOST_BYTES if field.name.endswith("_bytes") else _MOST
            if most > largest:
                raise ValueError(f"{field.name}: must be at most {largest}")


@frozen
class Stats:
    """``[stats]``: the service that draws graphs of servers, snf-stats-app."""

    url: str = ""
    secret_file: Path | None = None
    refresh_s: int = 60

    def check(self) -> None:
        at_least("refresh_s", self.refresh_s, 1)
        if not self.url:
            return
        parts = url_of("url", self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("url: must be an http or https URL")
        if self.url.endswith("/"):
            raise ValueError("url: must not end in a slash")
        if self.secret_file is None:
            raise ValueError("secret_file: is needed where there is a url")
