"""``/flavors``: the sizes of servers."""

from typing import Annotated, Literal
from uuid import UUID, uuid4

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import versions, view
from snf.api.compute.bodies import Description, Name
from snf.api.compute.build import usable
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Flavor
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.storage import flavors
from snf.storage.database import Transaction

MISSING = "Flavor {} could not be found."

# nova/api/openstack/compute/schemas/flavors.py
_PARAMETERS = frozenset(
    {"limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"}
)

_Size = Annotated[int, msgspec.Meta(ge=1, le=2**24)]
_Disk = Annotated[int, msgspec.Meta(ge=0, le=2**20)]
_Template = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,32}\Z")]


class NewFlavor(msgspec.Struct, forbid_unknown_fields=True):
    """``flavor`` in ``POST /flavors``.

    What is not offered may only be given as clients give "nothing of it".
    """

    name: Name
    ram: _Size
    vcpus: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    disk: _Disk
    id: str | None = None
    swap: Literal[0, ""] = 0
    rxtx_factor: Annotated[float, msgspec.Meta(ge=1, le=1)] = 1.0
    public: bool = msgspec.field(name="os-flavor-access:is_public", default=True)
    ephemeral: Literal[0] = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    disabled: Literal[False] = msgspec.field(
        name="OS-FLV-DISABLED:disabled", default=False
    )
    disk_template: _Template | None = msgspec.field(
        name="SNF:disk_template", default=None
    )
    description: Description | msgspec.UnsetType | None = msgspec.UNSET


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /flavors``."""

    flavor: NewFlavor


class Described(msgspec.Struct, forbid_unknown_fields=True):
    """``flavor`` in ``PUT /flavors/{id}``."""

    description: Description | None


class DescribeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /flavors/{id}``."""

    flavor: Described


@frozen
class Flavors:
    """``/flavors``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> dict:
        """List ids and names."""
        found = self._listing(txn, call)
        shown = {one.id: view.flavor_brief(call, one) for one in found}
        return view.page(call, "flavors", shown, self.page_size)

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> dict:
        """List everything."""
        found = self._listing(txn, call)
        specs = flavors.specs(txn, [one.id for one in found])
        shown = {one.id: view.flavor(call, one, specs.get(one.id, {})) for one in found}
        return view.page(call, "flavors/detail", shown, self.page_size)

    @route(app, "POST", "/", role=Role.ADMIN, body=NewBody)
    def create(self, txn: Transaction, call: Call) -> dict:
        """Make one."""
        wanted: NewFlavor = call.body.flavor
        if wanted.description is not msgspec.UNSET and not call.since(
            versions.FLAVOR_DESCRIPTION
        ):
            raise BadRequest("flavor.description: there is none in this version")
        made = Flavor(
            id=_new_id(wanted.id),
            name=wanted.name.strip(),
            vcpus=wanted.vcpus,
            ram_mib=wanted.ram,
            disk_gib=wanted.disk,
            disk_template=wanted.disk_template or _template(txn, wanted.disk),
            public=wanted.public,
            description=wanted.description or None,
        )
        flavors.add(txn, made)
        note(txn, call, "flavor create", made.id)
        return {"flavor": view.flavor(call, made, {})}

    @route(app, "GET", "/<flavor>")
    def show(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Show one; a deleted one too, since servers refer to it."""
        return _shown(txn, call, usable(txn, call, identifier(flavor, MISSING)))

    @route(
        app,
        "PUT",
        "/<flavor>",
        role=Role.ADMIN,
        body=DescribeBody,
        since=versions.FLAVOR_DESCRIPTION,
    )
    def describe(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Describe one in other words."""
        found = existing(txn, call, flavor)
        flavors.describe(txn, found.id, call.body.flavor.description or None)
        note(txn, call, "flavor describe", found.id)
        return _shown(txn, call, flavors.get(txn, found.id))

    @route(app, "DELETE", "/<flavor>", role=Role.ADMIN, code=202)
    def delete(self, txn: Transaction, call: Call, flavor: str) -> None:
        """Let one be used for no new servers; those there are keep it."""
        found = identifier(flavor, MISSING)
        flavors.delete(txn, found)
        note(txn, call, "flavor delete", found)

    def _listing(self, txn: Transaction, call: Call) -> list[Flavor]:
        if call.since(versions.STRICT):
            call.check_known(_PARAMETERS)
        everybody, public = _publicness(call)
        wanted = flavors.Wanted(
            project=None if everybody else call.project.id,
            public=public,
            ram_mib=_number(call, "minRam"),
            disk_gib=_number(call, "minDisk"),
            marker=call.marker(),
        )
        return flavors.listing(txn, wanted, call.limit(self.page_size))


def existing(txn: Transaction, call: Call, flavor: str) -> Flavor:
    """
    Return the flavor that a URL names and that is not deleted.

    :raises NotFound: There is none that the caller may use.
    """
    found = usable(txn, call, identifier(flavor, MISSING))
    if found.deleted:
        raise NotFound(MISSING.format(flavor))
    return found


def _shown(txn: Transaction, call: Call, flavor: Flavor) -> dict:
    specs = flavors.specs(txn, [flavor.id]).get(flavor.id, {})
    return {"flavor": view.flavor(call, flavor, specs)}


def _publicness(call: Call) -> tuple[bool, bool | None]:
    """Return whether all projects' flavors are asked for, and which of them.

    As Nova: others than admins ask for what they may use, whatever they say.
    """
    text = call.argument("is_public")
    if not call.is_admin or text is None:
        return False, None
    if text.lower() == "none":
        return True, None
    public = call.flag("is_public")
    return not public, None if public else False


def _number(call: Call, name: str) -> int | None:
    text = call.argument(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadRequest(f"{name}: must be a whole number that is not negative")
    return int(text)


def _new_id(given: str | None) -> UUID:
    if given in (None, "", "auto"):
        return uuid4()
    try:
        return identifier(str(given), "")
    except NotFound:
        raise BadRequest("flavor.id: must be a UUID, or auto") from None


def _template(txn: Transaction, disk_gib: int) -> str:
    """Return the disk template that a flavor has for which none is given.

    Clients of OpenStack's cannot name one.
    """
    if not disk_gib:
        return "diskless"
    known = flavors.disk_templates(txn)
    if len(known) != 1:
        raise BadRequest("flavor.SNF:disk_template: must be given")
    return known[0]
