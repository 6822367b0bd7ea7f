"""Where a cluster's remote API is, and how it is known to be that cluster's."""

from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen


class Tls(Enum):
    """
    How the server's certificate is checked (docs/decisions/rapi-tls.md).

    ``VERIFY``: it is issued by a CA of the CA file (without one: of the system), for
    the host name or address of the URL.  ``PINNED``: it is a certificate of that file,
    whatever it says.  ``OFF``: not at all.
    """

    VERIFY = "verify"
    PINNED = "pinned"
    OFF = "off"


@frozen
class Endpoint:
    """
    The remote API of one Ganeti cluster.

    :raises ValueError: The URL, the user or the mode does not make sense; the text
        never holds the password.
    """

    cluster: str
    url: str
    user: str
    password: str = field(repr=False)
    tls: Tls = Tls.VERIFY
    ca_file: Path | None = None

    def __attrs_post_init__(self) -> None:
        _check_url(self.url, self.tls)
        if self.tls is Tls.PINNED and self.ca_file is None:
            raise ValueError("ca_file: a pinned certificate needs the file it is in")
        # Ganeti decodes credentials as ASCII and splits them at the first colon
        # (Ganeti lib/http/auth.py, _CheckBasicAuthorization).
        if ":" in self.user or not self.user.isascii() or not self.password.isascii():
            raise ValueError("user, password: ASCII, and no colon in the user's name")


def _check_url(url: str, tls: Tls) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("url: holds a user; credentials have their own settings")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("url: must be like https://ganeti.example.org:5080")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("url: nothing may follow the host and the port")
    if parts.scheme == "http" and tls is not Tls.OFF:
        raise ValueError("url: http:// only where tls is off")
