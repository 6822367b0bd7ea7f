"""What Neutron's collections have in common: filters, fields, sorting, pages, tags.

A noun of the API has a :class:`Collection`, and its routes ask it; the nouns differ in
what they make and change.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from attrs import field, frozen
from msgspec import UNSET

from snf.api.call import UUID_TEXT, Call
from snf.core.errors import BadRequest, Forbidden, NotFound, SnfError
from snf.core.subnet import InvalidInput
from snf.storage import lists
from snf.storage.database import Transaction
from snf.storage.lists import Field, Key, Listed, Type, Wanted

Json = dict[str, Any]

_Thing = TypeVar("_Thing")

# Filters of one name that stand for those of others; see Collection.
Reader = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]


class PolicyNotAuthorized(Forbidden):
    """Named as Neutron names it."""


@frozen
class Collection(Generic[_Thing]):
    """How the things of one kind are listed and shown.

    :ivar noun: ``security_group``, the key of one; with an ``s``, of many.
    :ivar view: What shows one to a caller.
    :ivar missing: Makes the refusal where there is none of an id.
    :ivar place: What the URL calls them, if not as the JSON does.
    :ivar readers: Filters by more than a field's value, by their names: each becomes
        filters by fields (``fixed_ips=ip_address=...``).
    """

    noun: str
    listed: Listed[_Thing]
    view: Callable[[Call, _Thing], Json]
    missing: Callable[[str], SnfError]
    page_size: int
    place: str = ""
    readers: Mapping[str, Reader] = field(factory=dict)

    @property
    def collection(self) -> str:
        """What the URL calls them."""
        return self.place or f"{self.noun}s"

    def list(self, txn: Transaction, call: Call) -> Json:
        """
        Return the answer to a request for a list.

        :raises BadRequest: A filter, a key to sort by or a limit makes no sense.
        :raises NotFound: There is no such marker.
        """
        limit = call.limit(self.page_size)
        wanted = self._wanted(call)
        try:
            found = lists.listing(txn, self.listed, wanted, limit)
        except NotFound:
            raise self.missing(str(wanted.marker)) from None
        shown = [only(call, self.view(call, one)) for one in found]
        answer: Json = {f"{self.noun}s": shown}
        links = self._links(call, found, wanted, limit)
        if links:
            answer[f"{self.noun}s_links"] = links
        return answer

    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """
        Return the answer to a request for one.

        :raises NotFound: There is none that the caller sees.
        """
        return {self.noun: only(call, self.view(call, self.find(txn, call, item)))}

    def asked(self, body: Any) -> Sequence[Any]:
        """
        Return what a body asks to be made: one thing, or several.

        :raises BadRequest: It has neither, or both.
        """
        one, many = getattr(body, self.noun), getattr(body, f"{self.noun}s")
        if (one is UNSET) is (many is UNSET):
            raise BadRequest(f"body: must have either {self.noun} or {self.noun}s")
        return [one] if many is UNSET else many

    def made(self, body: Any, shown: Sequence[Json]) -> Json:
        """Return the answer to such a body, in its way."""
        if getattr(body, f"{self.noun}s") is UNSET:
            return {self.noun: shown[0]}
        return {f"{self.noun}s": shown}

    def find(self, txn: Transaction, call: Call, item: str) -> _Thing:
        """
        Return one that the caller sees.

        :raises NotFound: There is none.
        """
        if UUID_TEXT.fullmatch(item):
            found = lists.get(txn, self.listed, sight(call), UUID(item))
            if found is not None:
                return found
        raise self.missing(item)

    def own(self, txn: Transaction, call: Call, item: str, action: str) -> _Thing:
        """
        Return one that the caller may change: the own project's, and admins any.

        :param action: ``update``, as in the name of Neutron's rule.
        :raises NotFound: There is none that the caller sees.
        :raises Forbidden: The caller sees it, and that is all.
        """
        found = self.find(txn, call, item)
        if not call.is_admin and found.project != call.project.id:  # type: ignore[attr-defined]
            raise PolicyNotAuthorized(
                f"rule:{action}_{self.noun} is disallowed by policy"
            )
        return found

    def _wanted(self, call: Call) -> Wanted:
        found: dict[str, list[str]] = {}
        for name in call.arguments:
            if name in self.readers:
                for other, texts in self.readers[name](call.arguments[name]).items():
                    found.setdefault(other, []).extend(texts)
            elif name in self.listed.fields:
                found.setdefault(name, []).extend(call.arguments[name])
            elif name not in _NO_FILTERS:
                raise BadRequest(f"[{name!r}] is invalid attribute for filtering")
        return Wanted(
            project=sight(call),
            only={
                name: _values(name, self.listed.fields[name], texts)
                for name, texts in found.items()
            },
            **{
                name.replace("-", "_"): _tags(call.arguments[name])
                for name in _TAGS
                if name in call.arguments
            },
            order=_order(call, self.listed),
            marker=call.marker(),
            backwards=call.flag("page_reverse"),
        )

    def _links(
        self, call: Call, found: Sequence[Any], wanted: Wanted, limit: int
    ) -> Sequence[Json]:
        if not found:
            return []
        full = len(found) == limit
        links = []
        if wanted.backwards or full:
            links.append(self._link(call, "next", found[-1].id))
        if full if wanted.backwards else wanted.marker is not None:
            links.append(self._link(call, "previous", found[0].id))
        return links

    def _link(self, call: Call, rel: str, marker: UUID) -> Json:
        query = {**call.arguments, "marker": [str(marker)]}
        query.pop("page_reverse", None)
        if rel == "previous":
            query["page_reverse"] = ["True"]
        return {
            "rel": rel,
            "href": f"{call.base}/{self.collection}?{urlencode(query, doseq=True)}",
        }


def sight(call: Call) -> UUID | None:
    """Return whose things the caller sees; None for everybody's."""
    return None if call.is_admin else call.project.id


def only(call: Call, shown: Json) -> Json:
    """Return the fields that the caller asked for; all when none were named."""
    fields = call.every("fields")
    if fields is None:
        return shown
    return {name: value for name, value in shown.items() if name in fields}


def owner(project: UUID | None) -> Json:
    """Return how it is shown whose something is."""
    text = "" if project is None else str(project)
    return {"tenant_id": text, "project_id": text}


def times(created: datetime, updated: datetime, revision: int) -> Json:
    """Return how it is shown when something was made and changed."""
    return {
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{updated:%Y-%m-%dT%H:%M:%SZ}",
        "revision_number": revision,
    }


_TAGS = ("tags", "tags-any", "not-tags", "not-tags-any")

_NO_FILTERS = frozenset(
    (*_TAGS, "fields", "limit", "marker", "page_reverse", "sort_dir", "sort_key")
)


def _tags(texts: Sequence[str]) -> Sequence[str]:
    return [tag for text in texts for tag in text.split(",") if tag]


def _order(call: Call, listed: Listed) -> Sequence[Key]:
    """Return what to sort by (neutron/api/api_common.py, get_sorts)."""
    names = call.every("sort_key") or ()
    ways = call.every("sort_dir") or ["asc"] * len(names)
    if len(names) != len(ways):
        raise BadRequest("The number of sort_keys and sort_dirs must be same")
    wrong = [
        name
        for name in names
        if name not in listed.fields or not listed.fields[name].sorts
    ]
    if wrong:
        raise BadRequest(f"{wrong} is invalid attribute for sort_keys")
    wrong = [way for way in ways if way not in ("asc", "desc")]
    if wrong:
        raise BadRequest(
            f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'"
        )
    keys = {
        name: Key(name, way == "asc") for name, way in zip(names, ways, strict=True)
    }
    return list(keys.values())


def _values(name: str, known: Field, texts: Sequence[str]) -> list[Any]:
    """Return what a field is to be, without what it cannot be."""
    values = []
    for text in texts:
        try:
            values.append(_READ[known.type](text))
        except ValueError:
            if known.type is Type.FLAG:
                raise InvalidInput(
                    name, f"'{text}' cannot be converted to boolean."
                ) from None
    return values


def _flag(text: str) -> bool:
    # neutron_lib/api/converters.py, convert_to_boolean
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise ValueError(text)


def _id(text: str) -> UUID:
    if not UUID_TEXT.fullmatch(text):
        raise ValueError(text)
    return UUID(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18):
        raise ValueError(text)
    return int(text)


def _mac(text: str) -> str:
    digits = text.replace(":", "").replace("-", "")
    if len(digits) != 12 or not text.isascii():
        raise ValueError(text)
    return f"{int(digits, 16):012x}"


def _address(text: str, kind: Callable[[str], Any]) -> str:
    return str(kind(text.partition("%")[0]))


_READ: Mapping[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.ID: _id,
    Type.FLAG: _flag,
    Type.NUMBER: _number,
    Type.ADDRESS: partial(_address, kind=ip_address),
    Type.CIDR: partial(_address, kind=ip_network),
    Type.MAC: _mac,
    Type.TIME: datetime.fromisoformat,
}
