"""What every refusal must look like, whichever service's it is."""

from typing import Any

from tests.api.case import SERVERS, ApiTestCase, Reply

# A place in each service.
PLACES = {
    "identity": "/identity/v3/auth/tokens",
    "compute": SERVERS,
    "image": "/image/v2/images",
    "network": "/network/v2.0/networks",
}


class FaultTestCase(ApiTestCase):
    """A test about refusals."""

    def assert_fault(self, reply: Reply, code: int, service: str = "") -> None:
        """It is a refusal in the shape of a service; of any for none given."""
        self.assertEqual(code, reply.code, reply.text)
        self.assertEqual("application/json", reply.header("Content-Type"))
        self.assertTrue(reply.header("x-openstack-request-id"))
        shapes = [service] if service else list(PLACES)
        self.assertTrue(
            any(_fits(reply.json, code, shape) for shape in shapes), reply.text
        )


def _fits(fault: Any, code: int, service: str) -> bool:
    """Whether a fault has the shape of a service."""
    if code == 401 or service == "identity":
        inner = fault.get("error", {})
        return set(inner) == {"code", "title", "message"} and inner["code"] == code
    if service == "image":
        return _is_plain(fault, code)
    if service == "network":
        return set(fault.get("NeutronError", ())) == {"type", "message", "detail"}
    if code == 404 and _is_plain(fault, code):
        return True  # Nova's of URLs that it does not have at all
    [(name, inner)] = fault.items()
    return (
        name == COMPUTE_NAMES[code]
        and set(inner) == {"code", "message"}
        and inner["code"] == code
    )


def _is_plain(fault: Any, code: int) -> bool:
    names = {"message", "code", "title"}
    return set(fault) == names and fault["code"].startswith(f"{code} ")


COMPUTE_NAMES = {
    400: "badRequest",
    404: "itemNotFound",
    405: "badMethod",
    500: "computeFault",
}
