"""Who may do what with which image."""

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.core.catalog import Image
from snf.core.errors import Forbidden, NotFound
from snf.core.image import check_removable
from snf.core.quota import Resource
from snf.storage import images, quotas, snapshots, uploads
from snf.storage.database import Transaction

_MISSING = "No image found with ID {}"


def find(txn: Transaction, call: Call, image: str, hold: bool = False) -> Image:
    """
    Return an image that the caller sees; admins see all.

    :param hold: Whether others who change it have to wait.
    :raises NotFound: There is none, or it is not for the caller.
    """
    which = identifier(image, _MISSING)
    try:
        found = images.get(txn, call.grant.project_id, which, call.is_admin)
        if hold:
            images.hold(txn, which)
            found = images.get(txn, call.grant.project_id, which, call.is_admin)
    except NotFound:
        raise NotFound(_MISSING.format(image)) from None
    return found


def own(txn: Transaction, call: Call, image: str, what: str) -> Image:
    """
    Return an image that the caller may change; admins may change all.

    Others who change it have to wait.

    :param what: What is to be done with it: ``modify``.
    :raises NotFound: There is none, or it is not for the caller to see.
    :raises Forbidden: It is somebody else's.
    """
    found = find(txn, call, image, hold=True)
    _check_owner(call, found, what)
    return found


def _check_owner(call: Call, found: Image, what: str) -> None:
    if not call.is_admin and found.project != call.project.id:
        raise Forbidden(f"You are not permitted to {what} this image.")


def remove(txn: Transaction, call: Call, image: str) -> None:
    """
    Delete an image that the caller may delete, and what is under way for it.

    :raises NotFound: There is none, or it is not for the caller to see.
    :raises Forbidden: It is somebody else's, or protected.
    """
    found = find(txn, call, image)
    _check_owner(call, found, "delete")
    check_removable(found)
    # Of what is being made of a server that one is locked first.
    if snapshots.call_off(txn, found.id, "The image was deleted"):
        note(txn, call, "image delete", found.id)
        return
    found = own(txn, call, image, "delete")
    check_removable(found)
    uploads.drop(txn, found.id, call.now)
    if found.project is not None and found.sha256 is not None:
        quotas.put_back(txn, found.project, Resource.IMAGE_BYTES, found.size_bytes)
    images.remove(txn, found.id, call.now)
    note(txn, call, "image delete", found.id)
