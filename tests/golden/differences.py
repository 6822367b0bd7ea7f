"""Where our answers are unlike OpenStack's, each with the reason why they have to be.

Whoever offers something that is listed here removes it: the tests fail until then.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from attrs import frozen

# The answers to what we do not offer (yet), with the reason; ours is a refusal.
NOT_OFFERED: Mapping[str, str] = {}

# What we offer and the OpenStack that was asked does not, with the reason.
ONLY_HERE: Mapping[str, str] = {
    "net-floatingips": "it has no routers, and so no floating IPs",
}


@frozen
class Difference:
    """A field that we have in addition, lack, or show in another type.

    :ivar answers: Which answers have it; a pattern with ``*``.
    :ivar field: Its path; a pattern with ``*``, brackets meaning themselves.
    """

    answers: str
    field: str
    reason: str

    def covers(self, answer: str, path: str) -> bool:
        """Return whether a field of an answer is meant."""
        field = self.field.replace("[", "[[]")
        return fnmatchcase(answer, self.answers) and fnmatchcase(path, field)


_NO_URLS = "where its data is, is for operators only"
_PLACED = "a server's addresses are chosen when it is asked for, not later"
_GANETI = "where a port or network is plugged in is Ganeti's matter, not Neutron's"
_SYNNEFO = "Synnefo's clients read it; others pass over it"

DIFFERENCES = (
    Difference("flavors-*", "*/SNF:disk_template", _SYNNEFO),
    Difference("server*", "*/SNF:task_state", _SYNNEFO),
    Difference("server*", "*/suspended", _SYNNEFO),
    Difference("quota-*", "quota_set/SNF:disk", "Nova has no quota of disks"),
    Difference(
        "server*-latest",
        "*/OS-EXT-SRV-ATTR:root_device_name",
        "Ganeti does not tell what the guest calls its disk",
    ),
    Difference("server-show-build-*", "server/addresses/*", _PLACED),
    Difference("server-show-build-*", "server/security_groups", _PLACED),
    Difference("image-schema", "properties/direct_url", _NO_URLS),
    Difference("image-schema", "properties/locations", _NO_URLS),
    Difference("networks", "networks[]/is_default", "servers are put on it by default"),
    Difference("networks", "networks[]/SNF:kind", "clients of Synnefo's kinds read it"),
    Difference("networks", "networks[]/SNF:drained", "operators' clients read it"),
    Difference("ports-*", "ports[]/binding:*", _GANETI),
    Difference(
        "net-security-groups",
        "*/standard_attr_id",
        "it is a key of Neutron's own database",
    ),
)
