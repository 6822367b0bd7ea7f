"""Who asks by a URL that was signed here: whatever is wrong with one, the answer is the same."""

from snf.api.call import Call
from snf.core.errors import Forbidden
from snf.core.signing import Signer

REFUSED = "Forbidden"


def check(call: Call, signer: Signer, path: str, method: str = "GET") -> None:
    """
    Return if a request's URL was signed for this path and method, and is good still.

    :param path: As it was signed.
    :param method: The one that it was signed for.
    :raises Forbidden: It was not, or is not.
    """
    expires, signature = call.argument("expires"), call.argument("signature")
    if expires is None or signature is None:
        raise Forbidden(REFUSED)
    if not signer.good(method, path, expires, signature, call.now.timestamp()):
        raise Forbidden(REFUSED)
