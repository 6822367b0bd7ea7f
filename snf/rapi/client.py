"""A client of one cluster's remote API: orders go out, jobs and instances come back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from snf import http
from snf.core.naming import EXCLUSION
from snf.http import HttpClient
from snf.rapi import displays, instances, jobs, networks, nodes
from snf.rapi.displays import Display
from snf.rapi.endpoint import Endpoint
from snf.rapi.errors import Refused
from snf.rapi.exchange import Answer, Exchange
from snf.rapi.instances import Instance, Listing
from snf.rapi.jobs import Job
from snf.rapi.nodes import Home, Node
from snf.rapi.orders import Request
from snf.rapi.tls import policy

_T = TypeVar("_T")

# Rows that are turned into values in one turn of the reactor: some 2 ms.
_SLICE = 200


@frozen
class ClusterInfo:
    """What a cluster says of itself; ``version`` is Ganeti's, like ``3.0.2``."""

    name: str
    version: str
    master: str
    hypervisors: tuple[str, ...]
    default_hypervisor: str
    disk_templates: tuple[str, ...]
    max_running_jobs: int
    uuid: str | None = None


def connect(
    reactor: Any, endpoint: Endpoint, timeout_s: float, connect_timeout_s: float = 10.0
) -> "Rapi":
    """
    Return a client of the cluster at an endpoint.  Nothing is sent yet.

    :param timeout_s: How long one call may take from its beginning to its end.
    """
    # A DELETE that is asked for twice is two jobs.
    pool = http.pooled(reactor, kept=2, again=False)
    client = http.client(reactor, policy(endpoint), connect_timeout_s, pool)
    rapi = over(client, endpoint, reactor, timeout_s)
    rapi.disconnect = pool.closeCachedConnections
    return rapi


def over(
    http: HttpClient, endpoint: Endpoint, clock: IReactorTime, timeout_s: float
) -> "Rapi":
    """Return a client that makes its requests through a given HTTP client."""
    return Rapi(Exchange(endpoint, http, clock, timeout_s))


@define(eq=False)
class Rapi:
    """
    The remote API of one cluster.

    Its methods raise ``Unreachable``, ``Refused`` and ``Trouble`` (``snf.rapi.errors``)
    and nothing else; each request ends within the time given to ``connect``.
    """

    exchange: Exchange
    disconnect: "Callable[[], Deferred[Any]] | None" = None

    async def close(self) -> None:
        """Close the connections that are kept for later."""
        if self.disconnect is not None:
            await self.disconnect()

    async def info(self) -> ClusterInfo:
        """Return what the cluster is and has."""
        answer = await self.exchange.ask(Request("GET", "/2/info"))
        return self._understood(_info, answer.content)

    async def submit(self, request: Request) -> int:
        """
        Ask for a job and return its id.

        After ``Unreachable`` and ``Trouble`` the job may exist: look for its reason
        (``jobs_after``) before asking again.
        """
        answer = await self.exchange.ask(request)
        return self._understood(_job_id, answer.content)

    async def excludes(self) -> bool:
        """Return whether the cluster heeds the tags that builds carry."""
        answer = await self.exchange.ask(Request("GET", "/2/tags"))
        return EXCLUSION in self._understood(_words, answer.content)

    async def groups(self) -> tuple[str, ...]:
        """Return the names of the cluster's node groups."""
        answer = await self.exchange.ask(Request("GET", "/2/groups"))
        return self._understood(networks.groups, answer.content)

    async def network(self, name: str) -> networks.Found | None:
        """Return a network by its name; None when there is no such network."""
        try:
            answer = await self.exchange.ask(networks.look(name))
        except Refused as failure:
            if failure.status == 404:
                return None
            raise
        return self._understood(networks.found, answer.content)

    async def last_job(self, known: int = 0) -> int:
        """
        Return the highest id among the jobs in the queue, or ``known`` if none is higher.

        It costs the same at any length of the queue when ``known`` is near.
        """
        answer = await self._query("job", ("id",), [">", "id", known])
        rows = self._understood(_rows, self._understood(_data, answer.content), ("id",))
        return max([known, *self._understood(_each, _row_id, rows)])

    async def jobs_after(self, job: int, archived: bool = False) -> tuple[Job, ...]:
        """
        Return the jobs whose ids are higher than one.

        :param archived: Also those that Ganeti has put into its archive; it reads the
            whole archive for that.
        """
        # Naming the field is what makes Ganeti look into the archive.
        fields = (*jobs.FIELDS, "archived") if archived else jobs.FIELDS
        return await self._jobs(fields, [">", "id", job])

    async def jobs(self, ids: Sequence[int]) -> tuple[Job, ...]:
        """Return the jobs of given ids, archived or not, without those that are no more."""
        if not ids:
            return ()
        wanted = ["|", *(["=", "id", number] for number in ids)]
        return await self._jobs((*jobs.FIELDS, "archived"), wanted)

    async def cancel(self, job: int) -> None:
        """
        Ask to cancel a job that has not begun.

        Ganeti's word on how that went is not to be relied on, so none is returned: the
        job's status tells.
        """
        await self.exchange.ask(Request("DELETE", f"/2/jobs/{job}"))

    async def instances(self) -> Listing:
        """Return all instances of the cluster, ours and others."""
        answer = await self._query("instance", instances.FIELDS)
        if answer.date is None:
            raise self.exchange.trouble("the answer has no Date")
        found = await self._parsed(instances.parse, instances.FIELDS, answer.content)
        # The Date is of the end, cut to whole seconds; the facts are of some moment
        # since the beginning.
        return Listing(time=answer.date - answer.took, instances=tuple(found))

    async def instance(self, name: str) -> Instance | None:
        """Return an instance by its name; None when there is no such instance."""
        try:
            answer = await self.exchange.ask(
                Request("GET", f"/2/instances/{quote(name, safe='')}")
            )
        except Refused as failure:
            if failure.status == 404:
                return None
            raise
        return self._understood(instances.parse, answer.content)

    async def tagged(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """
        Return an instance's OS and its tags; None when there is no such instance.

        Its node is not asked, which makes this several times as fast as ``instance``.
        """
        fields = ("os", "tags")
        rows = await self._of("instance", fields, name)
        return self._understood(_tagged, rows[0]) if rows else None

    async def display(self, name: str) -> Display | None:
        """Return where an instance's display is; None when there is no such instance."""
        rows = await self._of("instance", displays.FIELDS, name)
        if not rows:
            return None
        [named] = rows
        nodes = await self._of("node", displays.NODE_FIELDS, named["pnode"])
        return self._understood(lambda: displays.parse(named, nodes[0]["pip"]))

    async def _of(
        self, resource: str, fields: Sequence[str], name: object
    ) -> list[dict[str, Any]]:
        """Return what a query tells of the thing of a name; nothing of none."""
        # Of a name by itself, Ganeti makes an error where there is none of that name.
        answer = await self._query(resource, fields, ["&", ["=", "name", name]])
        rows = self._understood(_data, answer.content)
        return self._understood(_rows, rows, fields) if rows else []

    async def nodes(self) -> tuple[Node, ...]:
        """Return all nodes of the cluster, with what they have as they tell it now."""
        answer = await self._query("node", nodes.FIELDS)
        rows = self._understood(_data, answer.content)
        named = self._understood(_rows, rows, nodes.FIELDS)
        return tuple(self._understood(_each, nodes.parse, named))

    async def home(self, name: str) -> Home | None:
        """
        Return where an instance is; None when there is no such instance.

        No node is asked: it says the same when the node is dead.
        """
        there = await self._one("instance", "pnode", name)
        if there is None:
            return None
        address = await self._one("node", "pip", there)
        return None if address is None else Home(there, address)

    async def _one(self, resource: str, field: str, name: str) -> str | None:
        """Return a word of the thing of a name; None when there is no such thing."""
        rows = await self._of(resource, (field,), name)
        return self._understood(_text, rows[0][field]) if rows else None

    async def _jobs(self, fields: Sequence[str], wanted: object) -> tuple[Job, ...]:
        answer = await self._query("job", fields, wanted)
        found = await self._parsed(jobs.parse, fields, answer.content)
        return tuple(job for job in found if job is not None)

    async def _parsed(
        self, parse: Callable[[Any], _T], fields: Sequence[str], content: Any
    ) -> list[_T]:
        """Return the rows of a query's answer as values, a slice in each turn."""
        rows = self._understood(_data, content)
        found: list[_T] = []
        for start in range(0, len(rows), _SLICE):
            if start:
                await deferLater(self.exchange.clock, 0)
            part = rows[start : start + _SLICE]
            named = self._understood(_rows, part, fields)
            found.extend(self._understood(_each, parse, named))
        return found

    async def _query(
        self, resource: str, fields: Sequence[str], wanted: object = None
    ) -> Answer:
        return await self.exchange.ask(
            Request(
                method="PUT",
                path=f"/2/query/{resource}",
                body={"fields": fields, "qfilter": wanted},
            )
        )

    def _understood(self, parse: Callable[..., _T], *given: Any) -> _T:
        """Return what a parser makes of an answer, its failure being ``Trouble``."""
        try:
            return parse(*given)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            raise self.exchange.trouble("the answer is not as expected") from None


def _info(content: Any) -> ClusterInfo:
    return ClusterInfo(
        name=str(content["name"]),
        version=str(content["software_version"]),
        master=str(content["master"]),
        hypervisors=tuple(map(str, content["enabled_hypervisors"])),
        default_hypervisor=str(content["default_hypervisor"]),
        disk_templates=tuple(map(str, content["enabled_disk_templates"])),
        max_running_jobs=int(content["max_running_jobs"]),
        uuid=content.get("uuid"),
    )


def _tagged(values: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return str(values["os"]), tuple(map(str, values["tags"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _job_id(content: Any) -> int:
    # A string in older versions of Ganeti.
    if not isinstance(content, int | str) or isinstance(content, bool):
        raise TypeError("not a job id")
    return int(content)


def _words(content: Any) -> frozenset[str]:
    if not isinstance(content, list):
        raise TypeError("not a list of words")
    return frozenset(map(str, content))


def _row_id(row: Mapping[str, Any]) -> int:
    return _job_id(row["id"])


def _data(content: Any) -> list[Any]:
    """Return the rows of a query's answer as they are."""
    data = content["data"]
    if not isinstance(data, list):
        raise TypeError("not a list of rows")
    return data


def _rows(data: Iterable[Any], fields: Sequence[str]) -> list[dict[str, Any]]:
    """
    Return the rows of a query's answer by field.

    Each value comes with a word on how it was got; what could not be got is None
    (Ganeti lib/constants.py, RS_*).
    """
    return [dict(zip(fields, (value for _, value in row), strict=True)) for row in data]


def _each(parse: Callable[[Any], _T], rows: Iterable[Any]) -> list[_T]:
    return [parse(row) for row in rows]
