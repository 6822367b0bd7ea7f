"""Where a Keystone is, and who we are there."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from attrs import field, frozen

from snf.core.identity import Role


class Tls(Enum):
    """
    How Keystone's certificate is checked.

    ``VERIFY``: it is issued by a CA of the CA file (without one: of the system), for
    the URL's host.  ``PINNED``: it is a certificate of that file, whatever it says.
    """

    VERIFY = "verify"
    PINNED = "pinned"


@frozen
class Account:
    """
    The service user as which tokens are checked, in which project.

    :ivar url: Keystone's, with or without ``/v3``.
    :ivar roles: What Keystone's roles are to us, by name; others are nothing.
    """

    url: str
    user: str
    password: str = field(repr=False)
    user_domain: str = "Default"
    project: str = "service"
    project_domain: str = "Default"
    roles: Mapping[str, Role] = field(factory=lambda: {one.value: one for one in Role})
    tls: Tls = Tls.VERIFY
    ca_file: Path | None = None

    @property
    def v3(self) -> str:
        """The URL of its version 3."""
        return f"{unversioned(self.url)}/v3"


def unversioned(url: str) -> str:
    """Return Keystone's URL as ``WWW-Authenticate`` names it."""
    return url.rstrip("/").removesuffix("/v3").rstrip("/")
