"""Consoles: how viewers get at them, and they at the nodes."""

import re
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen

from snf.config.checks import at_least, one_of, within


@frozen
class Console:
    """``[console]``: consoles of servers, and vncauthproxy.

    :ivar ports: The first and the last port that viewers are given.
    :ivar most: How many forwardings there may be at once.
    :ivar listen: The addresses at which these ports are.
    :ivar address: Where viewers find them; empty is this host's name.
    :ivar control_socket: Where forwardings are asked for on this host; empty is nowhere.
    :ivar control_mode: Who may: the rights to that, in octal.
    :ivar control_listen: An address and a port where others ask; empty is nowhere.
    :ivar token_lifetime_s: How long a console's URL is good that nobody has opened.
    :ivar reconnect_s: For how long a page may connect again.
    :ivar open_at_most: How many consoles may be open in one API process.
    :ivar origins: Of other sites' pages that may open consoles.
    :ivar node_tls: Whether TLS is spoken with the nodes.
    """

    ports: tuple[int, ...] = (25_000, 30_000)
    most: int = 1000
    listen: tuple[str, ...] = ("0.0.0.0", "::")
    address: str = ""
    control_socket: str = "/var/run/vncauthproxy/ctrl.sock"
    control_mode: str = "0660"
    control_listen: str = ""
    certificate_file: Path | None = None
    key_file: Path | None = None
    users_file: Path = Path("/var/lib/vncauthproxy/users")
    token_lifetime_s: int = 600
    reconnect_s: int = 300
    open_at_most: int = 1000
    origins: tuple[str, ...] = ()
    viewer_timeout_s: float = 30.0
    handshake_timeout_s: float = 30.0
    node_connect_timeout_s: float = 5.0
    node_attempts: int = 3
    node_handshake_timeout_s: float = 10.0
    node_tls: str = "offered"
    node_ca_file: Path | None = None
    node_password_file: Path | None = None

    def check(self) -> None:
        ends = self.ports
        if len(ends) != 2 or not 1 <= ends[0] <= ends[1] <= 65_535:
            raise ValueError("ports: must be the first and the last, from 1 to 65535")
        within("most", self.most, 1, 100_000)
        if not self.listen:
            raise ValueError("listen: name at least one address")
        for address in self.listen:
            _address("listen", address)
        self._check_control()
        self._check_pages()
        one_of("node_tls", self.node_tls, ("off", "offered", "required"))
        at_least("node_attempts", self.node_attempts, 1)
        for key in (
            "viewer_timeout_s",
            "handshake_timeout_s",
            "node_connect_timeout_s",
            "node_handshake_timeout_s",
        ):
            within(key, getattr(self, key), 0.1, 3600)

    def _check_pages(self) -> None:
        within("token_lifetime_s", self.token_lifetime_s, 10, 24 * 3600)
        # Who has a console open is looked up every five seconds.
        within("reconnect_s", self.reconnect_s, 60, 24 * 3600)
        within("open_at_most", self.open_at_most, 1, 100_000)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", origin):
                raise ValueError(
                    f"origins: {origin!r} is not like https://ui.example.org"
                )

    def _check_control(self) -> None:
        if not re.fullmatch("0?[0-7]{3}", self.control_mode):
            raise ValueError("control_mode: must be the rights to a file, as 0660")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: are needed together")
        if self.control_listen:
            host, _ = address_and_port("control_listen", self.control_listen)
            if self.certificate_file is None and not ip_address(host).is_loopback:
                raise ValueError("certificate_file: is needed beyond this host")


def address_and_port(key: str, text: str) -> tuple[str, int]:
    """
    Return what a text such as ``127.0.0.1:24999`` or ``[::1]:24999`` names.

    :raises ValueError: It is no such text.
    """
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})", text)
    if match is None or not int(match[3]) <= 65_535:
        raise ValueError(f"{key}: {text!r} is not an address and a port")
    host = match[1] or match[2]
    _address(key, host)
    return host, int(match[3])


def _address(key: str, text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{key}: {text!r} is not an IP address") from None
