"""The cloud's users, and what a client's shell needs to be one of them."""

import json
import shlex
from collections.abc import Mapping

from attrs import frozen

from snf.allinone.failure import Failure
from snf.allinone.layout import Layout


@frozen
class Person:
    """A seeded user; the project is the user's default one."""

    name: str
    project: str
    role: str


PEOPLE: Mapping[str, Person] = {
    "admin": Person("admin", "admin", "admin"),
    "user": Person("demo", "demo", "member"),
}
"""By what ``./cloud env`` calls them."""


def password_of(layout: Layout, person: Person) -> str:
    """
    Return the person's password.

    :raises Failure: There is none yet, or the caller may not read it.
    """
    try:
        return layout.secret(f"user-{person.name}").read_text().strip()
    except FileNotFoundError:
        raise Failure("this cloud has never been up: sudo ./cloud up") from None
    except PermissionError:
        raise Failure("only root may read this password: sudo ./cloud env") from None


def clouds(port: int, person: Person, password: str, region: str) -> str:
    """Return a ``clouds.yaml`` with the one cloud ``cyclades``."""
    said = {
        "auth": {
            "auth_url": _auth_url(port),
            "username": person.name,
            "password": password,
            "project_name": person.project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "region_name": region,
        "identity_api_version": 3,
    }
    # All JSON is YAML, whatever characters are in a password.
    return json.dumps({"clouds": {"cyclades": said}}, indent=2) + "\n"


def _auth_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/identity/v3"


def exports(port: int, person: Person, password: str, region: str) -> str:
    """Return shell commands that set what OpenStack clients read."""
    values = {
        "OS_AUTH_URL": _auth_url(port),
        "OS_USERNAME": person.name,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": person.project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": region,
    }
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in values.items()
    )
