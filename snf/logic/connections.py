"""One client for each cluster's remote API, made when it is first needed."""

from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from snf.core.catalog import Cluster
from snf.rapi.client import Rapi
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import WrongCredentials


@define(eq=False)
class Connections(Service):
    """
    The clients, by cluster; closed when the service stops.

    :param connect: Makes the client of an endpoint.
    """

    connect: Callable[[Endpoint], Rapi]
    _clients: dict[int, tuple[Cluster, Rapi]] = field(init=False, factory=dict)
    _former: list[Rapi] = field(init=False, factory=list)

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self.close())

    def of(self, cluster: Cluster) -> Rapi:
        """
        Return the client of a cluster.

        :raises WrongCredentials: Its row or its credentials' file is not right.
        """
        known = self._clients.get(cluster.id)
        if known is not None and _same(known[0], cluster):
            return known[1]
        self.forget(cluster)
        client = self.connect(_endpoint(cluster))
        self._clients[cluster.id] = (cluster, client)
        return client

    def forget(self, cluster: Cluster) -> None:
        """Read the credentials of a cluster again the next time."""
        if cluster.id in self._clients:
            # Somebody may still be asking through it; what it keeps open for later
            # closes by itself, or with the rest.
            self._former = [*self._former[-9:], self._clients.pop(cluster.id)[1]]

    async def close(self) -> None:
        """Close all connections that are kept for later."""
        clients = [*self._former, *(client for _, client in self._clients.values())]
        self._former, self._clients = [], {}
        for client in clients:
            await client.close()


def _same(one: Cluster, other: Cluster) -> bool:
    return (one.url, one.username, one.password_file, one.tls, one.ca_file) == (
        other.url,
        other.username,
        other.password_file,
        other.tls,
        other.ca_file,
    )


def _endpoint(cluster: Cluster) -> Endpoint:
    try:
        password = Path(cluster.password_file).read_text("utf-8").rstrip("\n")
        return Endpoint(
            cluster=cluster.name,
            url=cluster.url,
            user=cluster.username,
            password=password,
            tls=Tls(cluster.tls),
            ca_file=Path(cluster.ca_file) if cluster.ca_file else None,
        )
    except (OSError, ValueError) as failure:
        raise WrongCredentials(f"cluster {cluster.name}: {failure}") from None
