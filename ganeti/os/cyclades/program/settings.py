"""The node's configuration: ``/etc/ganeti/snf-os.toml``, which need not be there."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from failure import Failed

FILE = "/etc/ganeti/snf-os.toml"


@dataclass(frozen=True)
class Images:
    """``[images]``: where images are that this node need not fetch."""

    directory: str = ""


@dataclass(frozen=True)
class Cache:
    """``[cache]``: where images are kept that were fetched, and how much of them."""

    directory: str = "/var/cache/snf-os"
    size_bytes: int = 21_474_836_480
    wait_s: float = 3600.0


@dataclass(frozen=True)
class Fetch:
    """``[fetch]``: how the cloud's API is asked."""

    ca_file: str = ""
    timeout_s: float = 30.0
    total_s: float = 7200.0
    attempts: int = 8


@dataclass(frozen=True)
class Convert:
    """``[convert]``: what ``qemu-img`` may use up for one image."""

    memory_bytes: int = 2_147_483_648
    cpu_s: int = 3600
    timeout_s: float = 7200.0


@dataclass(frozen=True)
class Capture:
    """``[capture]``: the making of images of servers' disks."""

    directory: str = "/var/cache/snf-os"
    spare_bytes: int = 1_073_741_824
    timeout_s: float = 21_600.0
    monitors: str = "/run/ganeti/kvm-hypervisor/ctrl"


@dataclass(frozen=True)
class News:
    """``[news]``: where progress is told."""

    spool: str = "/var/spool/snf-eventd"
    every_s: float = 3.0


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    images: Images = Images()
    cache: Cache = Cache()
    fetch: Fetch = Fetch()
    convert: Convert = Convert()
    capture: Capture = Capture()
    news: News = News()


def load(path):
    """
    Return what a file says; the defaults where there is none.

    :raises Failed: It cannot be read, or says what makes no sense.
    """
    try:
        tables = tomllib.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as problem:
        raise Failed(f"{path}: {problem}") from None
    known = {field.name: field.type for field in fields(Settings)}
    for name in tables:
        if name not in known or not isinstance(tables[name], dict):
            raise Failed(f"{path}: {name}: not a table of this file")
    return Settings(
        **{name: _table(path, name, known[name], keys) for name, keys in tables.items()}
    )


def _table(path, name, kind, keys):
    known = {field.name: field for field in fields(kind)}
    given = {}
    for key, value in keys.items():
        if key not in known:
            raise Failed(f"{path}: {name}: {key}: not known")
        given[key] = _value(f"{path}: {name}: {key}", known[key].type, value)
    return kind(**given)


def _value(where, kind, value):
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise Failed(f"{where}: must be of the kind {kind.__name__}")
    if kind is not str and value <= 0:
        raise Failed(f"{where}: must be more than 0")
    if kind is str and value and not value.startswith("/"):
        raise Failed(f"{where}: must be an absolute path")
    return value
