"""What ends a script of the OS definition."""


class Failed(Exception):
    """
    It cannot go on; the text is one line that says why.

    Users read it as the fault of their server: it names no URL's query, no password and
    nothing else that is secret.
    """
