"""What clients say of a new image, and of changes to one."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from attrs import evolve

from snf.api.call import Call, identifier
from snf.core.catalog import Image
from snf.core.errors import BadRequest, Forbidden, NotFound, TooLarge
from snf.core.identity import Role
from snf.core.image import (
    CONTAINER_FORMATS,
    DISK_FORMATS,
    PROPERTIES_AT_MOST,
    PROPERTY_CHARACTERS_AT_MOST,
    TAGS_AT_MOST,
    VISIBILITIES,
    check_name,
    is_base,
)

_TEXT_AT_MOST = 65_535
_NAME_AT_MOST = 255
_MOST = 2**31 - 1

# A new image: any names, of which some mean something.
NewImage = dict[str, Any]


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """One operation of a JSON patch (RFC 6902)."""

    op: Literal["add", "replace", "remove"]
    path: Annotated[str, msgspec.Meta(pattern=r"\A/[^/\x00-\x1f]+\Z", max_length=300)]
    value: Any = None


Changes = Annotated[list[Change], msgspec.Meta(min_length=1, max_length=300)]


class NewMember(msgspec.Struct, forbid_unknown_fields=True):
    """The body that shares an image."""

    member: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class MemberStatus(msgspec.Struct, forbid_unknown_fields=True):
    """The body that says what a member thinks; openstacksdk names the member again."""

    status: Literal["pending", "accepted", "rejected"]
    member: str | None = None


class Method(msgspec.Struct, forbid_unknown_fields=True):
    """How an image is to be imported."""

    name: Literal["glance-direct", "web-download"]
    uri: Annotated[str, msgspec.Meta(max_length=2048)] | None = None


class Import(msgspec.Struct, forbid_unknown_fields=True):
    """The body that imports an image; there is one store, whatever it says of stores."""

    method: Method
    stores: list[str] = []
    all_stores: bool = False
    all_stores_must_succeed: bool = True


def with_value(call: Call, image: Image, name: str, value: Any) -> Image:
    """
    Return an image of which something has another value.

    :raises BadRequest: It cannot have that; names it.
    :raises Forbidden: It is not for the caller to say.
    """
    check_name(name)
    if not is_base(name):
        return evolve(image, properties={**image.properties, name: _text(name, value)})
    return _READERS[name](call, image, value)


def check_counts(image: Image) -> None:
    """
    Return if an image does not have more than it may.

    :raises TooLarge: It has too many properties or tags, or too much in them.
    """
    said = sum(len(name) + len(value) for name, value in image.properties.items())
    if said > PROPERTY_CHARACTERS_AT_MOST:
        raise TooLarge(
            f"properties: they may have {PROPERTY_CHARACTERS_AT_MOST} characters "
            f"together, not {said}"
        )
    for what, count, most in (
        ("properties", len(image.properties), PROPERTIES_AT_MOST),
        ("tags", len(image.tags), TAGS_AT_MOST),
    ):
        if count > most:
            raise TooLarge(f"{what}: there may be {most} at most, not {count}")


def tags(name: str, value: Any) -> tuple[str, ...]:
    """
    Return tags in their order, each once.

    :raises BadRequest: They are not a list of words.
    """
    if not isinstance(value, list):
        raise BadRequest(f"{name}: must be a list of strings")
    return tuple(sorted({_text(name, one, _NAME_AT_MOST, 1) for one in value}))


def _text(name: str, value: Any, most: int = _TEXT_AT_MOST, least: int = 0) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise BadRequest(f"{name}: must be a string of {least} to {most} characters")
    if "\0" in value:
        raise BadRequest(f"{name}: must have no NUL in it")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"{name}: must be true or false")
    return value


def _number(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise BadRequest(f"{name}: must be a whole number from 0 to {_MOST}")
    return value


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadRequest(f"{name}: must be one of {', '.join(known)}")
    return value


def _name(call: Call, image: Image, value: Any) -> Image:
    text = "" if value is None else _text("name", value, _NAME_AT_MOST)
    return evolve(image, name=text)


def _visibility(call: Call, image: Image, value: Any) -> Image:
    kind = _one_of("visibility", value, VISIBILITIES)
    if kind == "public" and image.visibility != kind and not call.is_admin:
        raise Forbidden("You are not authorized to complete publicize_image action.")
    return evolve(image, visibility=kind)


def _format(name: str, known: tuple[str, ...]) -> Any:
    def read(call: Call, image: Image, value: Any) -> Image:
        if image.status != "queued":
            raise Forbidden(
                f"Attribute {name} can be only replaced for a queued image."
            )
        wanted = None if value is None else _one_of(name, value, known)
        changed: dict[str, Any] = {name: wanted}
        return evolve(image, **changed)

    return read


def _owner(call: Call, image: Image, value: Any) -> Image:
    try:
        owner = identifier(_text("owner", value), "")
    except NotFound:
        raise BadRequest("owner: must be the id of a project") from None
    if owner != image.project and not call.grant.may(Role.ADMIN):
        raise Forbidden("You are not permitted to set the owner of this image.")
    return evolve(image, project=owner)


_READERS: dict[str, Any] = {
    "name": _name,
    "visibility": _visibility,
    "protected": lambda call, image, value: evolve(
        image, protected=_flag("protected", value)
    ),
    "os_hidden": lambda call, image, value: evolve(
        image, hidden=_flag("os_hidden", value)
    ),
    "disk_format": _format("disk_format", DISK_FORMATS),
    "container_format": _format("container_format", CONTAINER_FORMATS),
    "min_disk": lambda call, image, value: evolve(
        image, min_disk_gib=_number("min_disk", value)
    ),
    "min_ram": lambda call, image, value: evolve(
        image, min_ram_mib=_number("min_ram", value)
    ),
    "tags": lambda call, image, value: evolve(image, tags=tags("tags", value)),
    "owner": _owner,
}


def image_id(value: Any) -> UUID:
    """
    Return the id that a client has chosen for an image.

    :raises BadRequest: It is none.
    """
    try:
        return identifier(_text("id", value), "")
    except NotFound:
        raise BadRequest("id: must be a UUID") from None
