"""The microversions of the compute API, and what each one changes.

Nova's ``rest_api_version_history``.  Each entry says what the version changes here;
what we do not offer at all is absent in every version, and so changed in none.
"""

from collections.abc import Mapping

import msgspec

from snf.core.errors import BadRequest

Version = tuple[int, int]

# What our code asks for by name.
KEYPAIR_TYPES = (2, 2)
EXTENDED = (2, 3)
IP6_FOR_ALL = (2, 5)
BEFORE_REMOTE_CONSOLES = (2, 5)
REMOTE_CONSOLES = (2, 6)
MKS_CONSOLES = (2, 8)
LOCKED = (2, 9)
KEYPAIRS_OF_USERS = (2, 10)
FORCED_DOWN = (2, 11)
GROUP_OWNERS = (2, 13)
EVACUATION_PLAIN = (2, 14)
SOFT_POLICIES = (2, 15)
HOST_STATUS = (2, 16)
DESCRIPTION = (2, 19)
ACTIONS_OF_DELETED = (2, 21)
MIGRATIONS_LINKED = (2, 23)
LIVE_AUTOMATIC = (2, 25)
TAGS = (2, 26)
CPU_INFO = (2, 28)
EVACUATION_FORCED = (2, 29)
LIVE_FORCED = (2, 30)
CONSOLE_TOKENS = (2, 31)
HYPERVISOR_PAGES = (2, 33)
BEFORE_PROXIES_WENT = (2, 35)
KEYPAIR_PAGES = (2, 35)
NO_NETWORK_QUOTAS = (2, 36)
NETWORKS_NEEDED = (2, 37)
STATUS_CHECKED = (2, 38)
BEFORE_IMAGE_METADATA_WENT = (2, 38)
NO_IMAGE_LIMITS = (2, 39)
ADDRESS_ACTIONS = (2, 43)
FLAVOR_EMBEDDED = (2, 47)
DIAGNOSTICS = (2, 48)
ATTACHED_WITH_TAG = (2, 49)
EVENTS_FOR_OWNERS = (2, 51)
TAGS_AT_CREATION = (2, 52)
HOSTS_BY_UUID = (2, 53)
REBUILT_WITH_KEY = (2, 54)
FLAVOR_DESCRIPTION = (2, 55)
HOST_OF_MIGRATION = (2, 56)
NO_FILE_QUOTAS = (2, 57)
ACTION_PAGES = (2, 58)
MIGRATION_PAGES = (2, 59)
FLAVOR_EXTRA_SPECS = (2, 61)
EVENT_HOST = (2, 62)
CERTIFICATES = (2, 63)
GROUP_RULES = (2, 64)
CHANGED_BEFORE = (2, 66)
NOTHING_FORCED = (2, 68)
SHOWN_NIC_TAG = (2, 70)
SERVER_GROUPS = (2, 71)
LOCK_REASON = (2, 73)
STRICT = (2, 75)
TOPOLOGY = (2, 78)
MIGRATIONS_BY_WHOM = (2, 80)
FILTERS_FOR_ALL = (2, 83)
EVENT_DETAILS = (2, 84)
HYPERVISORS_WITHOUT_SIZES = (2, 88)
HOSTNAME = (2, 90)
KEYPAIRS_IMPORTED = (2, 92)
HOSTNAME_WITH_DOTS = (2, 94)
PINNED_ZONE = (2, 96)
IMAGE_PROPERTIES = (2, 98)
SPICE_DIRECT = (2, 99)
HINTS = (2, 100)

_SAID = {
    1: "where it begins",
    KEYPAIR_TYPES[1]: "key pairs have a `type`; 201 and 204 where it was 200 and 202",
    EXTENDED[1]: "admins see `reservation_id`, `launch_index`, `hostname` and more",
    IP6_FOR_ALL[1]: "everybody may look for servers by `ip6`",
    REMOTE_CONSOLES[1]: "`/remote-consoles` in place of the actions that OpenStack had",
    MKS_CONSOLES[1]: "`mks` may be asked for; it is not offered",
    LOCKED[1]: "servers show whether they are `locked`",
    KEYPAIRS_OF_USERS[1]: "admins may name the `user_id` whose key pairs are meant",
    FORCED_DOWN[1]: "services show `forced_down`: none is",
    GROUP_OWNERS[1]: "server groups show `project_id` and `user_id`",
    EVACUATION_PLAIN[1]: "evacuating without `onSharedStorage` and an answer",
    SOFT_POLICIES[1]: "server groups may have `soft-` policies",
    HOST_STATUS[1]: "admins see `host_status`",
    18: "the project's id may be left out of URLs, as in every version here",
    DESCRIPTION[1]: "servers have a `description`",
    ACTIONS_OF_DELETED[1]: "what was done to deleted servers can be seen",
    MIGRATIONS_LINKED[
        1
    ]: "migrations have a type; live ones under way, a server's list",
    LIVE_AUTOMATIC[1]: "live migration without `disk_over_commit`, or `auto`matic",
    TAGS[1]: "servers have tags, and are found by them",
    CPU_INFO[1]: "a hypervisor's `cpu_info` is an object, with nothing in it",
    EVACUATION_FORCED[1]: "an evacuation can be forced",
    LIVE_FORCED[1]: "a live migration can be forced",
    CONSOLE_TOKENS[1]: "tokens of all consoles can be looked up, not RDP's alone",
    HYPERVISOR_PAGES[1]: "hypervisors come in pages",
    KEYPAIR_PAGES[1]: "key pairs come in pages",
    BEFORE_PROXIES_WENT[1] + 1: "`/images` and `/os-floating-ips` are gone: 404; "
    "quotas without networks'",
    NETWORKS_NEEDED[1]: "`networks` must be given, if only as `auto` or `none`",
    STATUS_CHECKED[1]: "a `status` that there is not is a 400, where it found nothing",
    NO_IMAGE_LIMITS[
        1
    ]: "limits without that of images' metadata, and no `/images/{id}/metadata`",
    ADDRESS_ACTIONS[1] + 1: "fixed and floating IPs are no actions of servers any more",
    46: "answers have `X-OpenStack-Request-ID`, as in every version here",
    FLAVOR_EMBEDDED[1]: "servers show their flavor's sizes, instead of its id",
    32: "`networks` of a new server may have a `tag`; from 2.37 to 2.41 not",
    ATTACHED_WITH_TAG[1]: "an interface may be given a `tag` when it is attached",
    SHOWN_NIC_TAG[1]: "interfaces show their `tag`",
    DIAGNOSTICS[1]: "diagnostics have a standard form",
    EVENTS_FOR_OWNERS[1]: "owners see the events of an action",
    TAGS_AT_CREATION[1]: "`tags` may be given to a new server",
    HOSTS_BY_UUID[1]: "ids of services and hypervisors are UUIDs",
    REBUILT_WITH_KEY[1]: "a server may be rebuilt with another `key_name`",
    FLAVOR_DESCRIPTION[1]: "flavors have a `description`",
    HOST_OF_MIGRATION[1]: "a `host` can be named for a migration",
    NO_FILE_QUOTAS[1]: "no `personality` any more, nor its quotas and limits; a server "
    "may be rebuilt with other `user_data`",
    ACTION_PAGES[1]: "actions come in pages, with `updated_at` and `changes-since`",
    MIGRATION_PAGES[1]: "migrations come in pages, with `uuid` and `changes-since`",
    FLAVOR_EXTRA_SPECS[1]: "flavors show their `extra_specs`",
    EVENT_HOST[1]: "events have `hostId`, and `host` for admins",
    CERTIFICATES[1]: "servers show `trusted_image_certificates`: none are offered",
    GROUP_RULES[1]: "server groups have a `policy` and `rules`, not `policies`",
    CHANGED_BEFORE[1]: "servers, actions and migrations are found by `changes-before`",
    NOTHING_FORCED[1]: "neither live migration nor evacuation can be forced",
    SERVER_GROUPS[1]: "a single server shows its `server_groups`",
    LOCK_REASON[1]: "a lock has a reason; servers are found by `locked`",
    STRICT[1]: "parameters that there are not are a 400; a flavor's `swap` is 0",
    TOPOLOGY[1]: "servers have a `topology`, in which there is nothing",
    MIGRATIONS_BY_WHOM[1]: "migrations tell, and are found by, user and project",
    FILTERS_FOR_ALL[1]: "owners may look for servers by what only admins could",
    EVENT_DETAILS[1]: "events that failed have `details`",
    HYPERVISORS_WITHOUT_SIZES[1]: "hypervisors show no sizes and no statistics",
    HOSTNAME[1]: "a server's `hostname` can be chosen, and its owner sees it",
    KEYPAIRS_IMPORTED[1]: "key pairs are taken in, and none is made any more; their "
    "names may have `@` and dots",
    HOSTNAME_WITH_DOTS[1]: "a `hostname` may have a domain",
    PINNED_ZONE[1]: "servers show their `pinned_availability_zone`",
    IMAGE_PROPERTIES[1]: "servers show the `properties` of their image",
    SPICE_DIRECT[1]: "`spice-direct` may be asked for; it is not offered",
    HINTS[1]: "servers show their `scheduler_hints`",
}

_NEWEST = 100

STEPS: Mapping[Version, str] = {
    (2, minor): _SAID.get(minor, "nothing of what is offered")
    for minor in range(1, _NEWEST + 1)
}


def nic_tags(version: Version) -> bool:
    """Return whether interfaces of new servers may have tags, which Nova took back."""
    return (2, 32) <= version <= (2, 36) or version >= (2, 42)


def check_fields(
    version: Version,
    body: msgspec.Struct,
    fields: Mapping[str, Version],
    name_of_body: str = "server",
) -> None:
    """
    Return if a body has no field that is younger than a version.

    :raises BadRequest: It has one.
    """
    for name, since in fields.items():
        if getattr(body, name) is not msgspec.UNSET and version < since:
            raise BadRequest(
                f"{name_of_body}.{name}: Additional properties are not allowed "
                f"({name!r} was unexpected)"
            )
