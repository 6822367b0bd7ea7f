"""How each OpenStack service words its refusals and marks its answers."""

from collections.abc import Mapping
from typing import Any, Protocol

from twisted.web.iweb import IRequest

from snf.core.errors import BadRequest, UnsupportedVersion

Version = tuple[int, int]


class Dialect(Protocol):
    """What differs between the services' answers."""

    def version(self, request: IRequest) -> Version:
        """Return the microversion that a request asks for.

        :raises BadRequest: It is malformed.
        :raises UnsupportedVersion: It is not served.
        """

    def headers(self, version: Version, request_id: str) -> Mapping[str, str]:
        """Return what every answer carries."""

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        """Return the body of a refusal; ``kind`` is its error class's name."""


class Identity:
    """Keystone's."""

    def version(self, request: IRequest) -> Version:
        return (3, 14)

    def headers(self, version: Version, request_id: str) -> Mapping[str, str]:
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
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Compute:
    """Nova's, which has microversions."""

    # The oldest and the newest microversion served; each is one entry of
    # snf.api.compute.versions once there are more than one.
    OLDEST: Version = (2, 1)
    NEWEST: Version = (2, 1)

    def version(self, request: IRequest) -> Version:
        headers = request.requestHeaders
        for text in headers.getRawHeaders("OpenStack-API-Version", []):
            service, _, wanted = text.strip().partition(" ")
            if service.lower() == "compute":
                return self._version(wanted.strip())
        for text in headers.getRawHeaders("X-OpenStack-Nova-API-Version", []):
            return self._version(text.strip())
        return self.OLDEST

    def _version(self, text: str) -> Version:
        if text == "latest":
            return self.NEWEST
        major, _, minor = text.partition(".")
        if not (_is_number(major) and _is_number(minor)):
            raise BadRequest(
                f"API Version String {text} is of invalid format. Must be of format "
                "MajorNum.MinorNum."
            )
        version = (int(major), int(minor))
        if not self.OLDEST <= version <= self.NEWEST:
            raise UnsupportedVersion(
                f"Version {text} is not supported by the API. Minimum is "
                f"{written(self.OLDEST)} and maximum is {written(self.NEWEST)}."
            )
        return version

    def headers(self, version: Version, request_id: str) -> Mapping[str, str]:
        return {
            "OpenStack-API-Version": f"compute {written(version)}",
            "X-OpenStack-Nova-API-Version": written(version),
            "Vary": "X-OpenStack-Nova-API-Version",
            "x-openstack-request-id": request_id,
            "x-compute-request-id": request_id,
        }

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
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
    503: "serviceUnavailable",
}


def written(version: Version) -> str:
    """Return a version as text: ``2.1``."""
    return f"{version[0]}.{version[1]}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


class Image:
    """Glance's."""

    def version(self, request: IRequest) -> Version:
        return (2, 9)

    def headers(self, version: Version, request_id: str) -> Mapping[str, str]:
        return {"x-openstack-request-id": request_id}

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        title = TITLES[code]
        return {"message": message, "code": f"{code} {title}", "title": title}


class Network:
    """Neutron's."""

    def version(self, request: IRequest) -> Version:
        return (2, 0)

    def headers(self, version: Version, request_id: str) -> Mapping[str, str]:
        return {"x-openstack-request-id": request_id}

    def fault(self, code: int, kind: str, message: str) -> Mapping[str, Any]:
        return {"NeutronError": {"type": kind, "message": message, "detail": ""}}
