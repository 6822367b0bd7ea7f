"""Who may do what with which image."""

from uuid import UUID

from snf.api.call import Call, identifier
from snf.core.catalog import Image
from snf.core.errors import Forbidden, NotFound
from snf.storage import images
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
    if not call.is_admin and found.project != call.project.id:
        raise Forbidden(f"You are not permitted to {what} this image.")
    return found


def project_id(text: str, missing: str) -> UUID:
    """
    Return the id of a project, which need not be there.

    :raises NotFound: It is none that there can be.
    """
    return identifier(text, missing)
