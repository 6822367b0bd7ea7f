"""How each OpenStack service words its refusals and marks its answers."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.web.iweb import IRequest

from snf.api.compute.versions import STEPS, Version
from snf.core.errors import BadRequest, NoSuchPlace, UnsupportedVersion

# Nova and Neutron refuse what none of their code has seen in other words.
_NO_SUCH_PLACE = NoSuchPlace.__name__


def headers(request: IRequest, name: str) -> list[str]:
    """Return all that a request has of a header; what is not UTF-8 matches nothing."""
    found = request.requestHeaders.getRawHeaders(name.encode("ascii"), [])
    return [value.decode("utf-8", "replace").strip() for value in found]


def header(request: IRequest, name: str) -> str | None:
    """Return the first of a request's headers of a name; None when it has none."""
    found = headers(request, name)
    return found[0] if found else None


class Dialect(Protocol):
    """What differs between the services' answers."""

    def version(self, request: IRequest) -> Version:
        """Return the microversion that a request asks for.

        :raises BadRequest: It is malformed.
        """

    def check(self, version: Version) -> None:
        """Return if a microversion is served.

        :raises UnsupportedVersion: It is not.
        """

    def headers(self, version: Version | None, request_id: str) -> Mapping[str, str]:
        """Return what every answer carries; None is a version not understood."""

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        """Return the body of a refusal; ``kind`` is its error class's name."""


class Identity:
    """Keystone's."""

    def version(self, request: IRequest) -> Version:
        return (3, 14)

    def check(self, version: Version) -> None:
        return

    def headers(self, version: Version | None, request_id: str) -> Mapping[str, str]:
        return {"x-openstack-request-id": request_id, "Vary": "X-Auth-Token"}

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        return keystone_fault(code, message)


def keystone_fault(code: int, message: str) -> Mapping[str, Any]:
    """Return Keystone's fault, which is every service's for a bad token."""
    return {"error": {"code": code, "title": TITLES[code], "message": message}}


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    416: "Requested Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Compute:
    """Nova's, which has microversions."""

    # The oldest and the newest microversion served.
    OLDEST: Version = min(STEPS)
    NEWEST: Version = max(STEPS)

    def version(self, request: IRequest) -> Version:
        # One header may name the versions of several services.
        for text in ",".join(headers(request, "OpenStack-API-Version")).split(","):
            service, _, wanted = text.strip().partition(" ")
            if service.lower() == "compute":
                return self._version(wanted.strip())
        legacy = header(request, "X-OpenStack-Nova-API-Version")
        return self.OLDEST if legacy is None else self._version(legacy)

    def _version(self, text: str) -> Version:
        if text == "latest":
            return self.NEWEST
        match = _VERSION.fullmatch(text)
        if match is None:
            raise BadRequest(
                f"API Version String {text} is of invalid format. Must be of format "
                "MajorNum.MinorNum."
            )
        return (int(match[1]), int(match[2]))

    def check(self, version: Version) -> None:
        if not self.OLDEST <= version <= self.NEWEST:
            raise UnsupportedVersion(
                f"Version {written(version)} is not supported by the API. Minimum is "
                f"{written(self.OLDEST)} and maximum is {written(self.NEWEST)}."
            )

    def headers(self, version: Version | None, request_id: str) -> Mapping[str, str]:
        ids = {
            "x-openstack-request-id": request_id,
            "x-compute-request-id": request_id,
        }
        if version is None:
            return ids
        return {
            "OpenStack-API-Version": f"compute {written(version)}",
            "X-OpenStack-Nova-API-Version": written(version),
            "Vary": "X-OpenStack-Nova-API-Version",
            **ids,
        }

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        if kind == _NO_SUCH_PLACE:
            return _plain_fault(code, message)
        name = _COMPUTE_FAULTS.get(code, "computeFault")
        return {name: {"code": code, "message": message}}


# What is absent is a computeFault (nova/api/openstack/wsgi.py, Fault).
_COMPUTE_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def written(version: Version) -> str:
    """Return a version as text: ``2.1``."""
    return f"{version[0]}.{version[1]}"


# nova/api/openstack/api_version_request.py; the length is bounded here.
_VERSION = re.compile(r"([1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")


class Image:
    """Glance's."""

    def version(self, request: IRequest) -> Version:
        return (2, 9)

    def check(self, version: Version) -> None:
        return

    def headers(self, version: Version | None, request_id: str) -> Mapping[str, str]:
        return {"x-openstack-request-id": request_id}

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        return _plain_fault(code, message)


def _plain_fault(code: int, message: str) -> Mapping[str, Any]:
    """Return the fault of the library that Glance stands on, and Nova's URLs."""
    title = TITLES[code]
    return {"message": message, "code": f"{code} {title}", "title": title}


class Network:
    """Neutron's."""

    def version(self, request: IRequest) -> Version:
        return (2, 0)

    def check(self, version: Version) -> None:
        return

    def headers(self, version: Version | None, request_id: str) -> Mapping[str, str]:
        return {"x-openstack-request-id": request_id}

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        name = "HTTPNotFound" if kind == _NO_SUCH_PLACE else kind
        return {"NeutronError": {"type": name, "message": message, "detail": ""}}


class Userdata(Identity):
    """That of Synnefo's userdata: what is wrong with which field."""

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        field, _, problem = message.partition(": ")
        errors = {field: [problem]} if field in _FIELDS else {_NO_FIELD: [message]}
        return {"errors": errors, "non_field_key": _NO_FIELD}


# Those that a form of Synnefo's web UI has, and what stands for none of them.
_FIELDS = frozenset({"name", "content"})
_NO_FIELD = "__all__"
