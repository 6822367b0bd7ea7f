"""The microversions of the compute API, and what each one changes.

Nova's ``rest_api_version_history``.  Each entry says what the version changes here;
what we do not offer at all is absent in every version, and so changed in none.
"""

from collections.abc import Mapping

Version = tuple[int, int]

# What our code asks for by name.
EXTENDED = (2, 3)
IP6_FOR_ALL = (2, 5)
LOCKED = (2, 9)
HOST_STATUS = (2, 16)
DESCRIPTION = (2, 19)
ACTIONS_OF_DELETED = (2, 21)
TAGS = (2, 26)
BEFORE_PROXIES_WENT = (2, 35)
NETWORKS_NEEDED = (2, 37)
STATUS_CHECKED = (2, 38)
BOTH_REQUEST_IDS = (2, 46)
FLAVOR_EMBEDDED = (2, 47)
EVENTS_FOR_OWNERS = (2, 51)
TAGS_AT_CREATION = (2, 52)
FLAVOR_DESCRIPTION = (2, 55)
ACTION_PAGES = (2, 58)
FLAVOR_EXTRA_SPECS = (2, 61)
EVENT_HOST = (2, 62)
CERTIFICATES = (2, 63)
CHANGED_BEFORE = (2, 66)
SERVER_GROUPS = (2, 71)
LOCK_REASON = (2, 73)
STRICT = (2, 75)
FILTERS_FOR_ALL = (2, 83)
EVENT_DETAILS = (2, 84)
HOSTNAME = (2, 90)
HOSTNAME_WITH_DOTS = (2, 94)
PINNED_ZONE = (2, 96)

_NOTHING = "nothing of what is offered"

STEPS: Mapping[Version, str] = {
    (2, 1): "where it begins",
}
