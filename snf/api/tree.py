"""The whole tree of URLs: which service's routes are where."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from snf.api import dialect, discovery
from snf.api.compute.build import Builder
from snf.api.compute.flavors import Flavors
from snf.api.compute.images import Images as ComputeImages
from snf.api.compute.servers import Servers
from snf.api.discovery import Document
from snf.api.identity.tokens import Tokens
from snf.api.image.images import Images
from snf.api.json import Edge
from snf.api.network.readonly import Extensions, collections
from snf.api.site import ApiSite, Branch, Noun
from snf.config import Api, Identity
from snf.storage.database import Database


@frozen
class Parts:
    """What the APIs stand on.

    :ivar verify: A coroutine function of a password and what is kept of it, off the
        reactor's thread: whether they match.
    :ivar new_token: Makes a token.
    """

    clock: IReactorTime
    database: Database
    api: Api
    identity: Identity
    instance_prefix: str
    verify: Callable[[str, str], Any]
    new_token: Callable[[], str]
    builder: Builder

    def edge(self, prefix: str, of: dialect.Dialect) -> Edge:
        """Return what the routes below a prefix stand on."""
        return Edge(self.clock, self.database, self.api.public_url, prefix, of)


def site(parts: Parts) -> ApiSite:
    """Return the site that serves everything."""
    edge = parts.edge("", dialect.Identity())
    tree = Branch(
        edge,
        {
            "identity": _identity(parts),
            "compute": _compute(parts),
            "image": _image(parts),
            "network": _network(parts),
        },
        _document(edge, discovery.cloud, 300),
    )
    return ApiSite(tree, edge, parts.clock, parts.api.max_body_bytes)


def _identity(parts: Parts) -> IResource:
    edge = parts.edge("/identity/v3", dialect.Identity())
    tokens = Tokens(edge, parts.identity, parts.verify, parts.new_token)
    auth = Branch(edge, {"tokens": Noun(tokens)})
    v3 = Branch(edge, {"auth": auth}, _document(edge, discovery.identity_v3))
    return Branch(edge, {"v3": v3}, _document(edge, discovery.identity, 300))


def _compute(parts: Parts) -> IResource:
    versions: dict[str, IResource] = {}
    for path in ("v1.1", "v2", "v2.1"):
        edge = parts.edge(f"/compute/{path}", dialect.Compute())
        size = parts.api.page_size
        nouns: dict[str, Any] = {
            "servers": Servers(
                edge, parts.builder, parts.instance_prefix, size, path != "v2.1"
            ),
            "flavors": Flavors(edge, size),
            "images": ComputeImages(edge, size),
        }
        versions[path] = Branch(
            edge,
            {name: Noun(noun) for name, noun in nouns.items()},
            _document(edge, discovery.compute_version(path)),
        )
    edge = parts.edge("/compute", dialect.Compute())
    return Branch(edge, versions, _document(edge, discovery.compute))


def _image(parts: Parts) -> IResource:
    edge = parts.edge("/image", dialect.Image())
    images = Images(edge, parts.api.page_size)
    v2 = Branch(edge, {"images": Noun(images)})
    versions = _document(edge, discovery.image)
    return Branch(
        edge, {"v2": v2, "versions": versions}, _document(edge, discovery.image, 300)
    )


def _network(parts: Parts) -> IResource:
    edge = parts.edge("/network/v2.0", dialect.Network())
    children: dict[str, IResource] = {
        name: Noun(noun)
        for name, noun in collections(edge, parts.api.page_size).items()
    }
    children["extensions"] = Noun(Extensions(edge))
    v2 = Branch(edge, children, _document(edge, discovery.network_v2))
    return Branch(edge, {"v2.0": v2}, _document(edge, discovery.network))


def _document(edge: Edge, write: Callable[[str], Any], code: int = 200) -> IResource:
    return Noun(Document(edge, write, code))
