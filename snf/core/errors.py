"""What can be refused, each with a sentence for the user.

They are raised where the fact is known; ``snf.api.json`` alone knows which HTTP
status each one becomes.
"""


class SnfError(Exception):
    """A refusal; its text is shown to the user."""


class BadRequest(SnfError):
    """The request makes no sense: names the field and what is allowed there."""


class Interrupted(BadRequest):
    """The client has gone before all of its body had come; there is nobody to be told."""


class Unauthorized(SnfError):
    """There is no valid token, or the user name and password do not match."""


class Forbidden(SnfError):
    """The caller is known but may not do this."""


class NotFound(SnfError):
    """There is no such thing, or it belongs to somebody else: the two look the same."""


class NoSuchPlace(NotFound):
    """There is nothing at the URL, whoever asks."""


class MethodNotAllowed(SnfError):
    """The URL exists, this method on it does not."""


class Conflict(SnfError):
    """The thing's present state forbids this."""


class QuotaExceeded(SnfError):
    """A limit of the project has been reached."""


class Gone(SnfError):
    """There was such a thing once, in OpenStack, and there is none any more."""


class NotOffered(SnfError):
    """Not every cloud has it, and this one has no means for it."""


class TooLarge(SnfError):
    """The request's body is larger than the server takes."""


class BadRange(SnfError):
    """The part of a file that is asked for is not in it."""


class TooMany(SnfError):
    """The caller has tried too often; ``wait_s`` says for how many seconds to wait."""

    def __init__(self, text: str, wait_s: int) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class UnsupportedVersion(SnfError):
    """The microversion asked for is not served."""


class Unavailable(SnfError):
    """
    A part that is needed does not answer; trying again later may help.

    :ivar wait_s: For how many seconds to wait; None where that is not known.
    """

    def __init__(self, text: str, wait_s: int | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s
