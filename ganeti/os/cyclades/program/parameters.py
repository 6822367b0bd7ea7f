"""The OS parameters (``OSP_*``), checked.

``guest`` may come in pieces, ``guest``, ``guest_2`` and so on: the kernel takes 128 KiB
of one environment variable.
"""

import re
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from failure import Failed

FORMATS = ("raw", "qcow2", "vmdk", "vhd", "vhdx", "iso")
PIECES = 16

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_RULES = (
    (
        "hostname",
        r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
        "a host name: letters, digits, dots and hyphens",
    ),
    ("image_id", _UUID, "a UUID"),
    ("image_format", "|".join(FORMATS), f"one of {', '.join(FORMATS)}"),
    ("image_sha256", r"[0-9a-f]{64}", "64 hexadecimal digits"),
    ("image_size", r"[1-9][0-9]{0,15}", "a number of bytes, at least 1"),
    ("order", _UUID, "a UUID"),
)
_URLS = ("image_url", "guest_url")
_LONGEST_URL = 4096


@dataclass(frozen=True)
class Parameters:
    """What the cloud says of a server's disks; "" is what it does not say.

    :ivar image_size: Of the image's file, in bytes, as text.
    :ivar guest: What the guest is told, packed; see ``guest.unpack``.
    :ivar guest_url: Where that is to be had, in place of ``guest``.
    """

    hostname: str = ""
    image_id: str = ""
    image_format: str = ""
    image_sha256: str = ""
    image_size: str = ""
    image_url: str = ""
    order: str = ""
    guest_url: str = ""
    guest: str = ""


def read(environment):
    """
    Return the parameters that an environment has.

    :raises Failed: One of them makes no sense; it is named.
    """
    given = {
        field.name: environment.get(f"OSP_{field.name.upper()}", "")
        for field in fields(Parameters)
    }
    pieces = (environment.get(f"OSP_GUEST_{at}", "") for at in range(2, PIECES + 1))
    given["guest"] += "".join(pieces)
    for name, form, meaning in _RULES:
        if given[name] and not re.fullmatch(form, given[name]):
            raise Failed(f"{name}: must be {meaning}")
    for name in _URLS:
        _check_url(name, given[name])
    if given["image_sha256"]:
        for name in ("image_format", "image_size"):
            if not given[name]:
                raise Failed(f"{name}: is missing")
    return Parameters(**given)


def _check_url(name, url):
    if not url:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and parts.port != 0 and url.isascii() and url.isprintable()
    except ValueError:
        good = False
    if not good or " " in url or len(url) > _LONGEST_URL:
        raise Failed(f"{name}: must be a URL of http or https")
