"""The configuration file of the original nfdhcpd, as tables of our own."""

from collections.abc import Callable, Mapping
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any

from snf.toml import ConfigError

_TRUE = ("yes", "true", "on", "1")
_FALSE = ("no", "false", "off", "0")


def tables(path: Path) -> dict[str, dict[str, Any]]:
    """
    Return what a file of the original says, in the tables and keys of ``nfdhcpd.toml``.

    Keys that the original did not know were passed over by it, and are here.

    :raises ConfigError: The file cannot be read, or a value is of the wrong kind.
    """
    parser = ConfigParser(
        interpolation=None, inline_comment_prefixes=("#",), default_section="\0"
    )
    try:
        parser.read_string(path.read_text("utf-8"), str(path))
    except OSError as failure:
        raise ConfigError(f"{path}: {failure.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None
    except Error as failure:
        raise ConfigError(" ".join(str(failure).split())) from None
    return _translated(str(path), parser)


def _translated(where: str, parser: ConfigParser) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (section, name), (table, key, kind) in _KEYS.items():
        text = parser.get(section, name, fallback="").strip()
        if not text:
            continue
        try:
            found.setdefault(table, {})[key] = kind(text)
        except ValueError as failure:
            raise ConfigError(f"{where}: {section}: {name}: {failure}") from None
    _switch_off(where, parser, found)
    if "logfile" in found.get("process", {}):
        found["process"]["logfile"] += "/nfdhcpd.log"
    return found


def _switch_off(
    where: str, parser: ConfigParser, found: dict[str, dict[str, Any]]
) -> None:
    """Leave out the queues that the file does not name, or whose half is disabled."""
    queues = found.setdefault("queues", {})
    for (section, switch), keys in _SWITCHES.items():
        text = parser.get(section, switch, fallback="yes").strip()
        try:
            on = _truth(text)
        except ValueError as failure:
            raise ConfigError(f"{where}: {section}: {switch}: {failure}") from None
        for key in keys:
            # The original has a default for the first only.
            if not on or (key not in queues and key != "dhcp"):
                queues[key] = -1


def _plain(text: str) -> str:
    return text.strip().strip("\"'")


def _number(text: str) -> int:
    try:
        return int(_plain(text))
    except ValueError:
        raise ValueError(f"must be a whole number, not {text!r}") from None


def _truth(text: str) -> bool:
    word = _plain(text).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"must be yes or no, not {text!r}")


def _list(text: str) -> list[str]:
    words = (_plain(word) for word in text.split(","))
    return [word for word in words if word]


_Key = tuple[str, str, Callable[[str], Any]]

_KEYS: Mapping[tuple[str, str], _Key] = {
    ("general", "pidfile"): ("process", "pidfile", _plain),
    ("general", "datapath"): ("bindings", "directory", _plain),
    ("general", "logdir"): ("process", "logfile", _plain),
    ("general", "user"): ("process", "user", _plain),
    ("dhcp", "lease_lifetime"): ("dhcp", "lease_s", _number),
    ("dhcp", "lease_renewal"): ("dhcp", "renewal_s", _number),
    ("dhcp", "server_ip"): ("dhcp", "server_ip", _plain),
    ("dhcp", "server_on_link"): ("dhcp", "server_on_link", _truth),
    ("dhcp", "dhcp_queue"): ("queues", "dhcp", _number),
    ("dhcp", "nameservers"): ("dhcp", "nameservers", _list),
    ("dhcp", "domain"): ("dhcp", "domain", _plain),
    ("ipv6", "ra_period"): ("ipv6", "ra_period_s", _number),
    ("ipv6", "rs_queue"): ("queues", "rs", _number),
    ("ipv6", "ns_queue"): ("queues", "ns", _number),
    # The older name first: the newer one counts where there are both.
    ("ipv6", "dhcp_queue"): ("queues", "dhcpv6", _number),
    ("ipv6", "dhcpv6_queue"): ("queues", "dhcpv6", _number),
    ("ipv6", "nameservers"): ("ipv6", "nameservers", _list),
    ("ipv6", "mode"): ("ipv6", "mode", _plain),
    ("ipv6", "domains"): ("ipv6", "domains", _list),
}

_SWITCHES = {
    ("dhcp", "enable_dhcp"): ("dhcp",),
    ("ipv6", "enable_ipv6"): ("rs", "ns", "dhcpv6"),
}
