"""What a process does, and the services that it needs for that."""

import re
from pathlib import Path

from attrs import frozen

from snf.config.checks import at_least, url_of


@frozen
class Services:
    """``[services]``: what this process does."""

    run: tuple[str, ...] = ("api", "submitter", "dispatcher", "reconciler")

    def check(self) -> None:
        known = ("api", "submitter", "dispatcher", "reconciler", "vncauthproxy")
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
        at_least("threads", self.threads, 1)
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
        parts = url_of("url", self.url)
        if parts.scheme not in ("amqp", "amqps", "memory"):
            raise ValueError("url: must begin with amqp://, amqps:// or memory:")
        if parts.password is not None:
            raise ValueError("url: holds a password; put it into password_file")
        at_least("prefetch", self.prefetch, 1)
