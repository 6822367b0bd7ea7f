"""``[console]`` becomes how nodes are reached, and vncauthproxy."""

import re
from pathlib import Path
from socket import getfqdn
from typing import Any

from attrs import field, frozen
from OpenSSL import SSL, crypto
from twisted.application.service import IService, MultiService
from twisted.application.strports import service
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory

from snf.config import ConfigError, secret
from snf.config.console import Console, address_and_port
from snf.console.control import Control
from snf.console.forwardings import Forwardings, ForwardingSettings
from snf.console.node import NodeSettings
from snf.console.ports import Ports
from snf.console.users import Users
from snf.trust import verified
from snf.unix_socket import UnixSocket

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@frozen
class ConsoleSecrets:
    """What is in the files that ``[console]`` names; None where there is none."""

    node_password: str | None = field(default=None, repr=False)
    node_authorities: str | None = field(default=None, repr=False)
    tls: CertificateOptions | None = field(default=None, repr=False)


def read_console(settings: Console) -> ConsoleSecrets:
    """
    Return what the files hold.

    :raises ConfigError: One cannot be read, or is not what it should be.
    """
    authorities = _held(settings.node_ca_file)
    if authorities is not None:
        try:
            verified("localhost", authorities)
        except ValueError as failure:
            raise ConfigError(f"{settings.node_ca_file}: {failure}") from None
    return ConsoleSecrets(
        _held(settings.node_password_file), authorities, _tls(settings)
    )


def check_places(settings: Console) -> None:
    """
    See whether there is a place for the control socket.

    :raises ConfigError: There is none, or nobody could ask.
    """
    if not settings.control_socket:
        if not settings.control_listen:
            raise ConfigError(
                "console: control_socket, control_listen: vncauthproxy needs one of them"
            )
        return
    directory = Path(settings.control_socket).parent
    if not directory.is_dir():
        raise ConfigError(
            f"console: control_socket: there is no directory {directory}: make it, for "
            "the user as whom this runs"
        )


def node_settings(settings: Console, secrets: ConsoleSecrets) -> NodeSettings:
    """Return how nodes' consoles are reached."""
    return NodeSettings(
        connect_s=settings.node_connect_timeout_s,
        attempts=settings.node_attempts,
        handshake_s=settings.node_handshake_timeout_s,
        password=secrets.node_password,
        tls=settings.node_tls != "off",
        plain=settings.node_tls != "required",
        authorities=secrets.node_authorities,
    )


def vncauthproxy(reactor: Any, settings: Console, secrets: ConsoleSecrets) -> IService:
    """Return the service that forwards ports, and is asked to."""
    whole = MultiService()
    first, last = settings.ports
    forwardings = Forwardings(
        reactor,
        Ports(reactor, first, last, settings.listen),
        ForwardingSettings(
            most=settings.most,
            viewer_s=settings.viewer_timeout_s,
            handshake_s=settings.handshake_timeout_s,
            tls=secrets.tls,
        ),
        node_settings(settings, secrets),
    )
    forwardings.setServiceParent(whole)
    address = settings.address or getfqdn()
    if settings.control_socket:
        control = Control(reactor, forwardings, address)
        path, mode = Path(settings.control_socket), int(settings.control_mode, 8)
        UnixSocket(reactor, path, control, mode).setServiceParent(whole)
    if settings.control_listen:
        host, port = address_and_port("control_listen", settings.control_listen)
        users = Users(reactor, settings.users_file)
        factory: Any = Control(reactor, forwardings, address, users)
        if secrets.tls is not None:
            factory = TLSMemoryBIOFactory(secrets.tls, False, factory)
            factory.noisy = False
        where = f"tcp:{port}:interface={quoteStringArgument(host)}"
        service(where, factory, reactor=reactor).setServiceParent(whole)
    return whole


def _held(path: Path | None) -> str | None:
    return None if path is None else secret(path)


def _tls(settings: Console) -> CertificateOptions | None:
    """Return what TLS connections are accepted with."""
    if settings.certificate_file is None or settings.key_file is None:
        return None
    chain = [
        _certificate(settings.certificate_file, block)
        for block in _PEM.findall(secret(settings.certificate_file))
    ]
    if not chain:
        raise ConfigError(f"{settings.certificate_file}: holds no certificate")
    try:
        key = KeyPair.load(secret(settings.key_file).encode(), crypto.FILETYPE_PEM)
        options = CertificateOptions(
            privateKey=key.original,
            certificate=chain[0],
            extraCertChain=chain[1:],
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        # Made now, so that what does not fit is known before anything starts.
        options.getContext().check_privatekey()
    except (SSL.Error, crypto.Error, ValueError):
        raise ConfigError(
            f"{settings.key_file}: is not the key of {settings.certificate_file}"
        ) from None
    return options


def _certificate(path: Path, block: str) -> Any:
    try:
        return Certificate.loadPEM(block.encode("ascii")).original
    except (crypto.Error, ValueError):
        raise ConfigError(f"{path}: a certificate cannot be read") from None
