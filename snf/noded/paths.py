"""What there is at a path: a file's content, or the list of a directory."""

from typing import Any

from snf.noded import ec2, openstack
from snf.noded.ec2 import Keys
from snf.noded.guest import Known

OPENSTACK = "openstack"


def found(known: Known, path: str) -> bytes | None:
    """
    Return what a guest is answered at a path; None where there is nothing.

    :param path: As it asks for it; slashes at the end, or several at once, count as
        with Nova: as none, or one.
    """
    words = [word for word in path.split("/") if word]
    here: Any = ec2.tree(known.guest)
    listed = not words
    if words and words[0] == OPENSTACK:
        here = openstack.tree(known)
        del words[0]
    for word in words:
        if not isinstance(here, dict) or word not in here:
            return None
        here = here[word]
    if listed:
        return _lines([*here, OPENSTACK])
    return _content(here)


def is_password(path: str) -> bool:
    """Whether a path is that of the password which a guest may tell."""
    words = [word for word in path.split("/") if word]
    return (
        len(words) == 3
        and (words[0], words[2]) == (OPENSTACK, openstack.PASSWORD)
        and words[1] in openstack.VERSIONS
        and words[1] >= "2013-04-04"
    )


def _content(here: Any) -> bytes:
    if isinstance(here, Keys):
        return _lines(here.names)
    if isinstance(here, dict):
        return _lines(_named(name, below) for name, below in here.items())
    if callable(here):
        made: bytes = here()
        return made
    return here.encode() if isinstance(here, str) else bytes(here)


def _named(name: str, below: Any) -> str:
    # A version is listed as Nova lists it: without the slash of a directory.
    if isinstance(below, dict) and name not in openstack.VERSIONS:
        return f"{name}/"
    return name


def _lines(names: Any) -> bytes:
    return "\n".join(names).encode()
