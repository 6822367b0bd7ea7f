"""The data of images, and how nodes get it."""

from pathlib import Path

from attrs import frozen

from snf.config.checks import MOST_BYTES, network_of, web_url, within


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
            within(key, getattr(self, key), 1024 * 1024, MOST_BYTES)
        within("staged_hours", self.staged_hours, 1, 24 * 365)
        within("web_timeout_s", self.web_timeout_s, 1, 7 * 24 * 3600)
        for port in self.web_ports:
            within("web_ports", port, 1, 65_535)
        for key in ("web_allowed", "web_denied"):
            for network in getattr(self, key):
                network_of(key, network)


@frozen
class Nodes:
    """``[nodes]``: how Ganeti's nodes get images, and what guests are to be told.

    :ivar url: Where they reach the API; None is for where clients do.
    :ivar shared_images: Whether they have the images' directory themselves.
    :ivar force_config_drive: Whether guests have a config drive that clients want none
        for.
    :ivar daemon_port: Where their snf-noded listens, at their primary addresses; 0 is
        nowhere.
    :ivar daemon_ca_file: It speaks TLS, and one of these certificates has issued its own.
    """

    key_file: Path | None = None
    url: str | None = None
    url_lifetime_s: int = 1800
    shared_images: bool = False
    force_config_drive: bool = True
    daemon_port: int = 8781
    daemon_ca_file: Path | None = None

    def check(self) -> None:
        if self.url is not None:
            web_url("url", self.url)
            if self.url.endswith("/"):
                raise ValueError("url: must not end in a slash")
        within("url_lifetime_s", self.url_lifetime_s, 60, 24 * 3600)
        within("daemon_port", self.daemon_port, 0, 65_535)
