"""``/servers/{id}/stats``: where graphs of what a server does are (Synnefo)."""

import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import quote

from attrs import field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from snf.api.call import Call
from snf.api.compute.owned import locate
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.core.naming import instance_name
from snf.storage.database import Transaction

# Below the service's URL (snf-stats-app, urls.py).
_GRAPHS = {
    "cpuBar": "cpu-bar",
    "cpuTimeSeries": "cpu-ts",
    "netBar": "net-bar",
    "netTimeSeries": "net-ts",
}


@frozen
class Graphs:
    """
    The service that draws graphs, snf-stats-app.

    :ivar url: Where it is; empty where there is none.
    :ivar secret: What it knows servers' names at Ganeti by.
    :ivar refresh_s: How often a client may look again.
    """

    url: str = ""
    secret: str = field(default="", repr=False)
    refresh_s: int = 60

    def of(self, name: str) -> dict[str, str]:
        """Return the graphs of the instance of a name."""
        hidden = hide(name, self.secret)
        return {key: f"{self.url}/{path}/{hidden}" for key, path in _GRAPHS.items()}


NO_GRAPHS = Graphs()


@frozen
class Stats:
    """``/servers/{id}/stats``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    prefix: str
    graphs: Graphs

    @route(app, "GET", "/<server>/stats")
    def show(self, txn: Transaction, call: Call, server: str) -> dict:
        """Show where the graphs of a server are."""
        number, uuid = locate(txn, call, server)
        if not self.graphs.url:
            raise NotFound("There are no graphs of servers here")
        return {
            "stats": {
                "serverRef": str(uuid),
                "refresh": self.graphs.refresh_s,
                **self.graphs.of(instance_name(self.prefix, number)),
            }
        }


def hide(name: str, secret: str) -> str:
    """
    Return an instance's name as snf-stats-app reads it from a URL.

    AES in ECB with the digest of the secret for a key, after at least one NUL (Synnefo,
    snf-cyclades-app, ``synnefo/api/util.py``).  It hides the number; it proves nothing.
    """
    plain = name.encode("ascii")
    padded = plain + b"\0" * (16 - len(plain) % 16)
    key = hashlib.sha256(secret.encode("utf-8")).digest()
    cipher = Cipher(AES(key), ECB()).encryptor()
    return quote(urlsafe_b64encode(cipher.update(padded) + cipher.finalize()))
