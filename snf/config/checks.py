"""What several tables check their values by."""

from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit


def at_least(key: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{key}: must be at least {least}")


def within(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{key}: must be from {least} to {most}")


def one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(known)}")


def network_of(key: str, text: str) -> None:
    try:
        ip_network(text)
    except ValueError as failure:
        raise ValueError(f"{key}: {failure}") from None


def web_url(key: str, text: str) -> None:
    parts = url_of(key, text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{key}: must be an http or https URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{key}: must have no user, query or fragment in it")


def url_of(key: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as failure:
        raise ValueError(f"{key}: is not a URL: {failure}") from None
    return parts


YEAR_S = 365 * 24 * 3600


MOST_BYTES = 2**60
