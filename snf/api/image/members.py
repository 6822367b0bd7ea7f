"""``/v2/images/{id}/members``: the projects with which an image is shared."""

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.image import view
from snf.api.image.bodies import MemberStatus, NewMember
from snf.api.image.owned import find, own
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Image
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.identity import Role
from snf.storage import image_members
from snf.storage.database import Transaction
from snf.storage.image_members import Member

_MISSING = "{} not found in the member list of the image"


@frozen
class Members:
    """The members of images."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<image>/members")
    def listing(self, txn: Transaction, call: Call, image: str) -> dict:
        """List with which projects one is shared; a member sees itself alone."""
        found = _shared(find(txn, call, image))
        members = [
            view.member(one)
            for one in image_members.of(txn, found.id)
            if _sees(call, found, one)
        ]
        return {"members": members, "schema": "/v2/schemas/members"}

    @route(app, "POST", "/<image>/members", role=Role.MEMBER, body=NewMember)
    def add(self, txn: Transaction, call: Call, image: str) -> dict:
        """Share one with a project, which then may accept it."""
        found = _shared(own(txn, call, image, "share"))
        try:
            project = identifier(call.body.member, "")
        except NotFound:
            raise BadRequest("member: must be the id of a project") from None
        made = Member(found.id, project, "pending", call.now, call.now)
        image_members.add(txn, made)
        note(txn, call, "image share", found.id)
        return view.member(made)

    @route(app, "GET", "/<image>/members/<member>")
    def show(self, txn: Transaction, call: Call, image: str, member: str) -> dict:
        """Show what a project thinks of one that is shared with it."""
        found = find(txn, call, image)
        return view.member(_member(txn, call, found, member))

    @route(app, "PUT", "/<image>/members/<member>", role=Role.MEMBER, body=MemberStatus)
    def update(self, txn: Transaction, call: Call, image: str, member: str) -> dict:
        """Accept or reject one that is shared with the own project."""
        found = find(txn, call, image, hold=True)
        one = _member(txn, call, _shared(found), member)
        if not call.is_admin and one.project != call.project.id:
            raise Forbidden("Only the member may say what it thinks of an image.")
        changed = evolve(one, status=call.body.status, updated=call.now)
        image_members.change(txn, changed)
        note(txn, call, f"image {changed.status}", found.id)
        return view.member(changed)

    @route(app, "DELETE", "/<image>/members/<member>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, image: str, member: str) -> None:
        """Share one with a project no more."""
        found = _shared(own(txn, call, image, "unshare"))
        one = _member(txn, call, found, member)
        image_members.remove(txn, found.id, one.project)
        note(txn, call, "image unshare", found.id)


def _shared(image: Image) -> Image:
    if image.visibility != "shared":
        raise Forbidden("Only shared images have members.")
    return image


def _sees(call: Call, image: Image, member: Member) -> bool:
    """Whether a caller may know of a member: as its owner, or as that itself."""
    mine = call.grant.project_id
    return call.is_admin or mine in (image.project, member.project)


def _member(txn: Transaction, call: Call, image: Image, member: str) -> Member:
    one = image_members.get(txn, image.id, identifier(member, _MISSING))
    if one is None or not _sees(call, image, one):
        raise NotFound(_MISSING.format(member))
    return one
