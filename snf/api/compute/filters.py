"""What a list of servers is asked for: the query, read with care."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from attrs import evolve, frozen

from snf.api.call import UUID_TEXT, Call
from snf.api.compute import versions
from snf.api.json import Answer
from snf.core.errors import BadRequest, Forbidden
from snf.core.server import Observed, Status, Task, power_state, vm_state
from snf.storage.search import KEYS, Key, Wanted


class Nothing(Exception):
    """A filter that nothing can match."""


def wanted(call: Call) -> Wanted:
    """
    Return which servers a list asks for, in which order.

    :raises BadRequest: A filter makes no sense.
    :raises Forbidden: Only admins may ask for that.
    :raises Nothing: No server can match.
    """
    if call.since(versions.STRICT):
        call.check_known(_KNOWN)
    asked = Wanted(
        project=_project(call),
        deleted=call.flag("deleted") and call.is_admin,
        marker=call.marker(),
        order=_order(call),
    )
    found: dict[str, Any] = {}
    for name, known in _FILTERS.items():
        text = call.argument(name)
        if text is not None and _counts(call, known):
            found[known.field] = known.read(call, name, text)
    found.pop(_SAME, None)
    return evolve(asked, **found)


def _counts(call: Call, known: "_Filter") -> bool:
    """Whether a filter narrows anything for this caller in this version."""
    if not call.since(known.since):
        return False
    return call.is_admin or (known.owners is not None and call.since(known.owners))


def _project(call: Call) -> UUID | None:
    named = call.argument("project_id") or call.argument("tenant_id")
    everybody = call.flag("all_tenants")
    if everybody and not call.is_admin:
        raise Forbidden("Policy doesn't allow all_tenants to be performed.")
    if named and call.is_admin:
        return _id(call, "project_id", named)
    return None if everybody else call.project.id


def _id(call: Call, name: str, text: str) -> UUID:
    """Return an id; what is none belongs to nothing."""
    if not UUID_TEXT.fullmatch(text):
        raise Nothing
    return UUID(text)


def _ids(call: Call, name: str, text: str) -> list[UUID]:
    return [_id(call, name, text)]


def _text(call: Call, name: str, text: str) -> str:
    return text


def _status(call: Call, name: str, text: str) -> Status:
    status = Status.__members__.get(text.upper())
    if status is None or (status is Status.DELETED and not call.is_admin):
        if call.since(versions.STATUS_CHECKED) and text.upper() not in _STATUSES:
            raise BadRequest("status: Invalid status value")
        raise Nothing
    return status


# What Nova knows and we do not have (nova/api/openstack/common.py).
_STATUSES = frozenset(Status.__members__) | {
    "PASSWORD",
    "PAUSED",
    "RESCUE",
    "RESIZE",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "SOFT_DELETED",
    "SUSPENDED",
    "VERIFY_RESIZE",
}


def _tags(call: Call, name: str, text: str) -> Sequence[str]:
    return tuple({tag: None for tag in text.split(",") if tag})


def moment(call: Call, name: str, text: str) -> datetime:
    """
    Return a time in the query.

    :raises BadRequest: It is none; names the parameter.
    """
    try:
        time = datetime.fromisoformat(text)
        # In UTC, since PostgreSQL knows no zones that are more than 16 hours away.
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: must be a time, as in ISO 8601") from None


def moment_if_any(call: Call, name: str) -> datetime | None:
    """
    Return a time in the query; None where it names none.

    :raises BadRequest: It is none; names the parameter.
    """
    text = call.argument(name)
    return None if text is None else moment(call, name, text)


def if_changed(call: Call, page: dict[str, Any], name: str) -> Answer:
    """Return a page of things as Synnefo does: a 304 where none of them has changed."""
    if not page[name] and call.argument(CHANGES_SINCE) is not None:
        return Answer(code=304)
    return Answer(page)


CHANGES_SINCE = "changes-since"


def _second(call: Call, name: str, text: str) -> datetime:
    return moment(call, name, text).replace(microsecond=0)


def _flag(call: Call, name: str, text: str) -> bool:
    return call.flag(name)


def _power(call: Call, name: str, text: str) -> list[str]:
    return [one.value for one in Observed if str(power_state(one)) == text]


def _vm_state(call: Call, name: str, text: str) -> list[str]:
    return [one.value for one in Status if vm_state(one) == text.lower()]


def _task(call: Call, name: str, text: str) -> str:
    if text.lower() in ("", "none"):
        return ""
    if text not in {task.value for task in Task}:
        raise Nothing
    return text


def _progress(call: Call, name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise Nothing
    return int(text)


def _only(all_have: str) -> Callable[[Call, str, str], None]:
    """Return a reader of a filter in which all servers are the same."""

    def read(call: Call, name: str, text: str) -> None:
        if text.lower() != all_have:
            raise Nothing

    return read


# The attribute of a filter that either all servers pass or none.
_SAME = ""

_ALWAYS = (2, 1)


@frozen
class _Filter:
    """What a name in the query asks for.

    :ivar field: The attribute of ``Wanted``.
    :ivar owners: The version from which on not only admins may use it; None for never.
    :ivar since: The version from which on there is such a filter.  Before, it narrows
        nothing.
    """

    field: str
    read: Callable[[Call, str, str], Any]
    owners: versions.Version | None = _ALWAYS
    since: versions.Version = _ALWAYS


_LATE = versions.FILTERS_FOR_ALL

_FILTERS: Mapping[str, _Filter] = {
    "name": _Filter("name", _text),
    "status": _Filter("status", _status),
    "uuid": _Filter("ids", _ids),
    "image": _Filter("image", _id),
    "flavor": _Filter("flavor", _id),
    "ip": _Filter("ip", _text),
    "ip6": _Filter("ip6", _text, owners=versions.IP6_FOR_ALL),
    "reservation_id": _Filter("reservation", _text),
    "host": _Filter("host", _text, owners=None),
    "tags": _Filter("tags", _tags, since=versions.TAGS),
    "tags-any": _Filter("tags_any", _tags, since=versions.TAGS),
    "not-tags": _Filter("not_tags", _tags, since=versions.TAGS),
    "not-tags-any": _Filter("not_tags_any", _tags, since=versions.TAGS),
    CHANGES_SINCE: _Filter("changed_since", moment),
    "changes-before": _Filter("changed_before", moment, since=versions.CHANGED_BEFORE),
    "locked": _Filter("locked", _flag, since=versions.LOCK_REASON),
    "user_id": _Filter("user", _id, owners=_LATE),
    "created_at": _Filter("created", _second, owners=_LATE),
    "launched_at": _Filter("launched", _second, owners=_LATE),
    "terminated_at": _Filter("terminated", _second, owners=_LATE),
    "power_state": _Filter("observed", _power, owners=_LATE),
    "task_state": _Filter("task", _task, owners=_LATE),
    "vm_state": _Filter("statuses", _vm_state, owners=_LATE),
    "progress": _Filter("progress", _progress, owners=_LATE),
    "availability_zone": _Filter(_SAME, _only("nova"), owners=_LATE),
    "config_drive": _Filter("config_drive", _flag, owners=_LATE),
    "key_name": _Filter("key_name", _text, owners=_LATE),
}

# What a strict version takes besides (nova/api/openstack/compute/schemas/servers.py);
# of these, what is not ours is the same for all servers and so narrows nothing.
_KNOWN = frozenset(_FILTERS) | {
    "all_tenants",
    "deleted",
    "description",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "disk_config",
    "hostname",
    "image_ref",
    "instance_type_id",
    "kernel_id",
    "launch_index",
    "limit",
    "locked_by",
    "marker",
    "node",
    "project_id",
    "ramdisk_id",
    "root_device_name",
    "soft_deleted",
    "sort_dir",
    "sort_key",
    "tenant_id",
    "updated_at",
}


_ADMIN_KEYS = frozenset({"host", "node"})

_KEYS_AT_MOST = 16


def _order(call: Call) -> Sequence[Key]:
    names = call.every("sort_key") or ()
    directions = call.every("sort_dir") or ()
    if len(directions) > len(names) or len(names) > _KEYS_AT_MOST:
        raise BadRequest("sort_dir: Sort direction size exceeds sort key size")
    keys = []
    for index, name in enumerate(names):
        if name not in KEYS or (
            name == "locked" and not call.since(versions.LOCK_REASON)
        ):
            raise BadRequest(f"sort_key: cannot sort by {name!r}")
        if name in _ADMIN_KEYS and not call.is_admin:
            raise Forbidden("Only administrators can sort servers by these: host, node")
        # What is left out goes the way of the first one, as with Nova.
        way = directions[index] if index < len(directions) else "desc"
        if index >= len(directions) and directions:
            way = directions[0]
        if way not in ("asc", "desc"):
            raise BadRequest("sort_dir: must be asc or desc")
        keys.append(Key(name, way == "asc"))
    return keys
