"""The configuration files of the all-in-one's daemons."""

import json
from collections.abc import Mapping
from pathlib import Path

from snf.allinone.public import TABLE
from snf.core.network import Kind

_Tables = Mapping[str, Mapping[str, str | bool | int | list[str]]]


def cyclades(
    *,
    dsn: str,
    dsn_password: Path,
    broker: str,
    broker_password: Path | None,
    port: int,
    images: Path,
    node_key: Path,
    node_url: str,
    daemon_port: int,
    control: Path,
) -> str:
    """
    Return the text of ``cyclades.toml``: every service in one process.

    :param images: Where the data of images is kept.
    :param control: Where vncauthproxy is asked for ports.
    """
    return _toml(
        {
            "services": {
                "run": ["api", "submitter", "dispatcher", "reconciler", "vncauthproxy"]
            },
            "database": {"dsn": dsn, "password_file": str(dsn_password)},
            "broker": _broker(broker, broker_password),
            "api": {
                "listen": f"tcp:{port}:interface=127.0.0.1",
                "public_url": f"http://127.0.0.1:{port}",
            },
            "images": {"directory": str(images)},
            "nodes": {
                "key_file": str(node_key),
                "url": node_url,
                # They see the very directory.
                "shared_images": True,
                "daemon_port": daemon_port,
                # Each has the metadata service.
                "force_config_drive": False,
            },
            "console": {
                "control_socket": str(control),
                "listen": ["127.0.0.1"],
                "address": "127.0.0.1",
            },
            # Of what users make nothing has to be there on the nodes before.
            "network": {
                "user_kinds": [Kind.VXLAN.value],
                "default_kind": Kind.VXLAN.value,
                "routed_link": TABLE,
            },
        }
    )


def eventd(
    *,
    broker: str,
    broker_password: Path,
    ganeti_data: Path,
    spool: Path,
    mark: Path,
    node: str,
) -> str:
    """Return the text of ``eventd.toml``; the paths are those that the host sees."""
    return _toml(
        {
            "broker": _broker(broker, broker_password),
            "queue": {"directory": str(ganeti_data / "queue"), "mark_file": str(mark)},
            "spool": {"directory": str(spool)},
            "master": {"ssconf_directory": str(ganeti_data), "node_name": node},
        }
    )


def nfdhcpd(*, bindings: Path, user: str) -> str:
    """Return the text of ``nfdhcpd.toml``; the path is the one that the nodes see."""
    return _toml({"process": {"user": user}, "bindings": {"directory": str(bindings)}})


def noded(
    *, user: str, url: str, key: Path, listen: str, taps: str, serial: Path
) -> str:
    """
    Return the text of a node's ``noded.toml``.

    :param taps: Where it sees whose a tap is that asks for metadata.
    :param serial: Where it keeps what guests say on their serial lines.
    """
    return _toml(
        {
            "process": {"user": user},
            "api": {"urls": [url]},
            "node": {"key_file": str(key), "listen": listen},
            "serial": {"logs": str(serial)},
            "metadata": {"directory": taps},
        }
    )


def nodes_os(*, images: str, cache: str) -> str:
    """Return the text of ``snf-os.toml``; the paths are those that the nodes see."""
    return _toml({"images": {"directory": images}, "cache": {"directory": cache}})


def _broker(url: str, password_file: Path | None) -> dict[str, str | bool | list[str]]:
    given = {} if password_file is None else {"password_file": str(password_file)}
    return {"url": url, **given}


def _toml(tables: _Tables) -> str:
    lines = ["# Written by ./cloud up at every start."]
    for table, keys in tables.items():
        lines += ["", f"[{table}]"]
        # A JSON string or list of strings is a TOML one as well.
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
