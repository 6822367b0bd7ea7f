"""The service catalog: where clients find each API."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

# (type, name, path below the cloud's root)
_SERVICES = (
    ("identity", "keystone", "/identity/v3"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
)


def catalog(root: str, region: str) -> list[dict[str, Any]]:
    """Return the catalog as tokens show it; ids are the same at every call."""
    return [
        {
            "id": _id(root, kind),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": _id(root, kind, interface),
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": root + path,
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, path in _SERVICES
    ]


def _id(*words: str) -> str:
    return uuid5(NAMESPACE_URL, "/".join(words)).hex
