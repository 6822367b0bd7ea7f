"""How a call to Ganeti's remote API can fail.

The three kinds differ in what is to be done about them.  Their texts name the cluster
and what went wrong, never a credential or a request's body.
"""


class RapiError(Exception):
    """A call that has not given what was asked for."""


class Unreachable(RapiError):
    """
    Ganeti does not answer, or takes no work at present: to be tried again later.

    What was asked for may have been done all the same: the answer can get lost after
    the job was accepted.
    """


class WrongCredentials(Unreachable):
    """
    Ganeti does not know the user, the password, or does not let the user write.

    Somebody has to repair a file; what was asked for waits for that.
    """


class Refused(RapiError):
    """
    Ganeti does not take this request and never will; the text is its explanation.

    ``status`` is that of HTTP.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Trouble(RapiError):
    """
    Ganeti failed, or its answer makes no sense: to be tried again a few times.

    As with ``Unreachable``, a job may exist.
    """
