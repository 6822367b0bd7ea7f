"""One request, as the functions that answer it see it."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from attrs import field, frozen

from snf.api.compute.versions import Version
from snf.api.streams import Body
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.identity import Grant, Project, Role

UUID_TEXT = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


@frozen
class Call:
    """A request that makes sense, from somebody who may make it.

    :ivar base: The public URL of the service and version that it came in by,
        without a slash at the end.
    :ivar root: The public URL of the whole cloud.
    :ivar body: What its JSON holds: an instance of the class the route names.
    :ivar token: As the client sent it, if it did.
    :ivar subject: The token that the request is about (``X-Subject-Token``).
    :ivar repeat_key: What the request has in common with those that repeat it
        (``X-Idempotency-Key``).
    :ivar byte_range: Which part of a file is wanted (``Range``).
    :ivar stream: The body, where it is read while it comes.
    :ivar place: The project that the URL names, if it names one.
    """

    request_id: str
    root: str
    base: str
    now: datetime
    address: str
    version: Version
    arguments: Mapping[str, Sequence[str]]
    body: Any = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    repeat_key: str | None = None
    byte_range: str | None = None
    stream: Body | None = None
    place: UUID | None = None
    known: Grant | None = None

    @property
    def grant(self) -> Grant:
        """What the caller's token stands for."""
        if self.known is None:
            raise AssertionError("the route asks for no role, so nobody is known")
        return self.known

    @property
    def project(self) -> Project:
        """
        The project that the caller works in.

        :raises Forbidden: The token is not scoped to one.
        """
        if self.grant.project is None:
            raise Forbidden("The token is not scoped to a project")
        return self.grant.project

    @cached_property
    def is_admin(self) -> bool:
        """Whether the caller may see and do what is not a project's own."""
        return self.grant.may(Role.ADMIN)

    def since(self, version: Version) -> bool:
        """Return whether the caller asks for this microversion or a newer one."""
        return self.version >= version

    def argument(self, name: str) -> str | None:
        """Return a query argument; the last one if it is given more than once."""
        values = self.arguments.get(name)
        return values[-1] if values else None

    def every(self, name: str) -> Sequence[str] | None:
        """Return all values of a query argument; None when it is not given."""
        return self.arguments.get(name) or None

    def check_known(self, known: Collection[str]) -> None:
        """
        Return if the query has only parameters that are known.

        :raises BadRequest: It has another; names it.
        """
        for name in self.arguments:
            if name not in known:
                raise BadRequest(
                    f"Additional properties are not allowed ({name!r} was unexpected)"
                )

    def flag(self, name: str) -> bool:
        """
        Return a query argument that says yes or no; no when it is not given.

        :raises BadRequest: It says something else.
        """
        text = self.argument(name)
        if text is None:
            return False
        try:
            return _FLAGS[text.lower()]
        except KeyError:
            raise BadRequest(f"{name}: must be true or false") from None

    def limit(self, most: int) -> int:
        """
        Return how many items the caller wants at once, ``most`` at most.

        :raises BadRequest: ``limit`` is not a whole number, or is negative.
        """
        text = self.argument("limit")
        if text is None or text == "":
            return most
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise BadRequest("limit: must be a whole number that is not negative")
        return min(int(text) or most, most)

    def marker(self) -> UUID | None:
        """
        Return the id of the item after which the listing goes on.

        :raises BadRequest: ``marker`` is not an id.
        """
        text = self.argument("marker")
        if text is None:
            return None
        if not UUID_TEXT.fullmatch(text):
            raise BadRequest(f"marker [{text}] not found")
        return UUID(text)

    def page_after(self, marker: UUID | str | int) -> str:
        """Return the query of the listing's next page: the same filters, go on after."""
        query = {**self.arguments, "marker": [str(marker)]}
        return urlencode(query, doseq=True)


_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
    "": False,
    "none": False,
}


def identifier(text: str, missing: str) -> UUID:
    """
    Return the id that a URL names.

    :raises NotFound: It is not an id, so there is no such thing; ``missing`` is what
        to say.
    """
    if not UUID_TEXT.fullmatch(text):
        raise NotFound(missing.format(text))
    return UUID(text)
