"""The documents that tell clients which services and versions there are."""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from snf.api.call import Call
from snf.api.dialect import Compute, written
from snf.api.json import Answer, Edge, new_app, route


@frozen
class Document:
    """
    One discovery document, open to everybody; ``write`` makes it from the root.

    :ivar location: Where to go on from it, below the root; as a header.
    """

    app = new_app()

    edge: Edge
    write: Callable[[str], Any]
    code: int = 200
    location: str | None = None

    @route(app, "GET", "/", role=None)
    async def show(self, call: Call) -> Answer:
        """Tell which services and versions there are."""
        place = {} if self.location is None else {"Location": call.root + self.location}
        return Answer(self.write(call.root), self.code, place)


@frozen
class Contents:
    """What a version has; as Neutron's, only for those who have a token."""

    app = new_app()

    edge: Edge
    write: Callable[[str], Any]

    @route(app, "GET", "/", scoped=False)
    async def show(self, call: Call) -> Any:
        """Tell what there is to be asked for."""
        return self.write(call.root)


def cloud(root: str, identity: str) -> Any:
    """
    Return what the cloud serves, for people and for clients given only its root.

    :param identity: Where clients log in, which may be a service of somebody else's.
    """
    ours = ("compute", "image", "network")
    return {
        "versions": {"values": [_identity_version(identity)]},
        "services": {"identity": identity, **{kind: f"{root}/{kind}" for kind in ours}},
    }


def identity(root: str) -> Any:
    """Return the versions of the identity API."""
    return {"versions": {"values": [_identity_version(f"{root}/identity")]}}


def identity_v3(root: str) -> Any:
    """Return the identity API's version 3."""
    return {"version": _identity_version(f"{root}/identity")}


def identity_v2(root: str) -> Any:
    """Return the identity API's version 2.0.

    The list of versions leaves it out, so that nobody chooses it who knows version 3.
    """
    return {
        "version": {
            "id": "v2.0",
            "status": "deprecated",
            "updated": "2016-08-04T00:00:00Z",
            "links": [{"rel": "self", "href": f"{root}/identity/v2.0/"}],
            "media-types": [
                {
                    "base": "application/json",
                    "type": "application/vnd.openstack.identity-v2.0+json",
                }
            ],
        }
    }


def _identity_version(place: str) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{place}/v3/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }
        ],
    }


# (path, id, status, updated, whether it has microversions)
_COMPUTE = (
    ("v1.1", "v1.1", "SUPPORTED", "2011-01-21T11:33:21Z", False),
    ("v2", "v2.0", "SUPPORTED", "2011-01-21T11:33:21Z", False),
    ("v2.1", "v2.1", "CURRENT", "2013-07-23T11:33:21Z", True),
)


def compute(root: str) -> Any:
    """Return the versions of the compute API."""
    return {"versions": [_compute_version(root, *version) for version in _COMPUTE]}


def compute_version(path: str) -> Callable[[str], Any]:
    """Return what writes the document of one version of the compute API."""
    [version] = [version for version in _COMPUTE if version[0] == path]

    def write(root: str) -> Any:
        shown = _compute_version(root, *version)
        shown["links"].append(
            {
                "rel": "describedby",
                "type": "text/html",
                "href": "http://docs.openstack.org/",
            }
        )
        kind = (
            f"application/vnd.openstack.compute+json;version={path.removeprefix('v')}"
        )
        shown["media-types"] = [{"base": "application/json", "type": kind}]
        return {"version": shown}

    return write


def _compute_version(
    root: str, path: str, name: str, status: str, updated: str, micro: bool
) -> dict[str, Any]:
    return {
        "id": name,
        "status": status,
        "version": written(Compute.NEWEST) if micro else "",
        "min_version": written(Compute.OLDEST) if micro else "",
        "updated": updated,
        "links": [{"rel": "self", "href": f"{root}/compute/{path}/"}],
    }


def image(root: str) -> Any:
    """Return the versions of the image API."""
    numbers = range(13, -1, -1)
    return {
        "versions": [
            {
                "id": f"v2.{number}",
                "status": "CURRENT" if number == numbers[0] else "SUPPORTED",
                "links": [{"rel": "self", "href": f"{root}/image/v2/"}],
            }
            for number in numbers
        ]
    }


def network(root: str) -> Any:
    """Return the versions of the network API."""
    return {
        "versions": [
            {
                "id": "v2.0",
                "status": "CURRENT",
                "links": [{"rel": "self", "href": f"{root}/network/v2.0/"}],
            }
        ]
    }


def network_v2(root: str) -> Any:
    """Return what the network API's version 2.0 has."""
    return {
        "resources": [
            {
                "name": name.rstrip("s"),
                "collection": name,
                "links": [{"rel": "self", "href": f"{root}/network/v2.0/{name}"}],
            }
            for name in ("networks", "subnets", "ports")
        ]
    }
