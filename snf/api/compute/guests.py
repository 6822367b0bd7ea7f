"""What is asked for a guest: keys, user data, a password, files; and what it gets."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol

import msgspec
from attrs import field, frozen

from snf.api.call import Call
from snf.api.compute import versions
from snf.core.catalog import Image
from snf.core.errors import BadRequest, NotFound, NotOffered, QuotaExceeded
from snf.core.guest import (
    FILE_BYTES_AT_MOST,
    FILES_AT_MOST,
    PATH_BYTES_AT_MOST,
    USER_DATA_AT_MOST,
    File,
    Key,
    Secret,
)
from snf.core.guest_password import generate
from snf.core.order import Source
from snf.core.sealing import Seal
from snf.storage import keypairs
from snf.storage.database import Transaction

_PLAIN = r"^[^\x00-\x1f\x7f]*\Z"
AdminPass = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PLAIN)]
KeyName = Annotated[str, msgspec.Meta(max_length=255, pattern=_PLAIN)]
UserData = Annotated[str, msgspec.Meta(max_length=USER_DATA_AT_MOST)]
_Path = Annotated[str, msgspec.Meta(min_length=1, pattern=_PLAIN)]
_Account = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x20:/\x7f]+\Z")
]


class FileRef(msgspec.Struct, forbid_unknown_fields=True):
    """A file in ``personality``: Synnefo's fields, of which Nova has the first two."""

    path: _Path
    contents: str
    owner: _Account = "root"
    group: _Account = "root"
    mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)] = 0o440

    def __repr__(self) -> str:
        return "FileRef(...)"


# More than anybody may have, so that it is said in Nova's words how many that are.
Personality = Annotated[list[FileRef], msgspec.Meta(max_length=1000)]


class Asked(Protocol):
    """What requests to make and to rebuild a server have in common."""

    adminPass: AdminPass | None
    personality: Personality | msgspec.UnsetType


@frozen
class Wish:
    """
    What a guest is to be told.

    :ivar key_name: Of the key pair; None for none.
    :ivar drive: Whether there is a disk that tells it.
    """

    drive: bool
    key_name: str | None = None
    keys: tuple[Key, ...] = ()
    user_data: str | None = None
    secret: Secret = field(factory=Secret)


class AskedFor(Asked, Protocol):
    """What is asked for a new one."""

    key_name: KeyName | None
    user_data: UserData | None


def wish(
    txn: Transaction, call: Call, asked: AskedFor, seal: Seal | None, drive: bool
) -> Wish:
    """
    Return what a new guest is to be told, but for its secrets.

    :raises BadRequest: There is no such key pair, the user data are not in base64, or
        it cannot be told without a config drive.
    :raises NotOffered: The operator has set no key.
    """
    sealing(seal)
    if not drive:
        check_without_drive(call, asked)
    name = asked.key_name or None
    return Wish(
        drive=drive,
        key_name=name,
        keys=() if name is None else (key_of(txn, call, name),),
        user_data=user_data(asked.user_data),
    )


def source(image: Image) -> Source | None:
    """
    Return the data that an image has for a disk; None where it has none.

    :raises BadRequest: Nobody has said what it is.
    """
    if image.sha256 is None:
        return None
    if image.disk_format is None:
        raise BadRequest(f"Image {image.id} has no disk_format.")
    return Source(image.id, image.sha256, image.size_bytes, image.disk_format)


def check_tellable(image: Image, disk_gib: int, seal: Seal | None) -> Seal:
    """
    Return what seals for a guest that is to be told something.

    :param disk_gib: Of its flavor.
    :raises BadRequest: It cannot be told: it has no disks, or its image is installed by
        an OS definition that takes nothing of this.
    :raises NotOffered: The operator has set no key.
    """
    if not disk_gib:
        raise BadRequest(
            "server.flavorRef: has no disk, and what a guest is told needs one"
        )
    if image.os.partition("+")[0] != _TELLS:
        raise BadRequest(
            f"server.imageRef: {image.id} is installed by {image.os}, which tells "
            "guests nothing: no key, user data, password or file can be given"
        )
    return sealing(seal)


_TELLS = "cyclades"


def check_without_drive(call: Call, asked: Asked) -> None:
    """
    Return if a guest without a config drive can be told what is asked for: it asks itself.

    :raises BadRequest: There is something that is told by the drive alone.
    """
    for name in ("adminPass", "personality"):
        if getattr(asked, name) not in (None, msgspec.UNSET, []):
            raise BadRequest(
                f"server.{name}: is told by the config drive, and there is to be none; "
                "the metadata service tells neither passwords nor files"
            )
    files(call, asked.personality)  # which some versions have not


def sealing(seal: Seal | None) -> Seal:
    """
    Return what seals for guests.

    :raises NotOffered: The operator has set no key.
    """
    if seal is None:
        raise NotOffered(
            "Guests can be given nothing here: the operator has set no [nodes] key_file"
        )
    return seal


def key_of(txn: Transaction, call: Call, name: str) -> Key:
    """
    Return a key pair of the caller's for a guest.

    :raises BadRequest: There is none of that name.
    """
    try:
        known = keypairs.get(txn, call.grant.user.id, name)
    except NotFound:
        raise BadRequest("Invalid key_name provided.") from None
    return Key(known.name, known.type.value, known.public_key)


def secret(
    call: Call,
    asked: Asked,
    random_bytes: Callable[[int], bytes],
    password: str | None = None,
) -> Secret:
    """
    Return what a guest is told once: its password, made up if need be, and its files.

    :param password: The one that has been made up already, if one has.
    """
    given = asked.adminPass or password
    return Secret(given or generate(random_bytes), files(call, asked.personality))


def files(call: Call, asked: Sequence[FileRef] | msgspec.UnsetType) -> tuple[File, ...]:
    """
    Return the files that are asked for.

    :raises BadRequest: The version has none, or one is not in base64.
    :raises QuotaExceeded: There are too many, or one is too large: in Nova's words
        (nova/exception.py, OnsetFileLimitExceeded).
    """
    if isinstance(asked, msgspec.UnsetType):
        return ()
    if call.since(versions.NO_FILE_QUOTAS):
        raise BadRequest(
            "server.personality: Additional properties are not allowed "
            "('personality' was unexpected)"
        )
    if len(asked) > FILES_AT_MOST:
        raise QuotaExceeded(
            f"Personality file limit exceeded: there may be {FILES_AT_MOST} files"
        )
    return tuple(_file(at, one) for at, one in enumerate(asked))


def _file(at: int, asked: FileRef) -> File:
    place = f"server.personality[{at}]"
    if len(asked.path.encode("utf-8", "surrogatepass")) > PATH_BYTES_AT_MOST:
        raise QuotaExceeded(
            f"Personality file path exceeds maximum: {place}.path may have "
            f"{PATH_BYTES_AT_MOST} bytes"
        )
    contents = plain(f"{place}.contents", asked.contents)
    if len(contents) > FILE_BYTES_AT_MOST:
        raise QuotaExceeded(
            f"Personality file content exceeds maximum: {place}.contents may have "
            f"{FILE_BYTES_AT_MOST} bytes"
        )
    text = base64.b64encode(contents).decode("ascii")
    return File(asked.path, text, asked.owner, asked.group, asked.mode)


def user_data(asked: str | None) -> str | None:
    """
    Return user data in base64 without line breaks; None for none.

    :raises BadRequest: It is not in base64.
    """
    if not asked:
        return None
    found = plain("server.user_data", asked)
    return base64.b64encode(found).decode("ascii")


def plain(field: str, text: str) -> bytes:
    """
    Return what base64 stands for, in which there may be line breaks.

    :raises BadRequest: It is none.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{field}: must be in base64") from None
