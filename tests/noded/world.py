"""A guest that is told something, as the API writes it."""

from typing import Any
from uuid import UUID

from snf.core.guest import Address, Guest, Interface, Key
from snf.core.guest_metadata import Served, written
from snf.noded.guest import Known, parsed

SERVER = UUID("11111111-1111-4111-8111-111111111111")
PORT = UUID("22222222-2222-4222-8222-222222222222")
NETWORK = UUID("33333333-3333-4333-8333-333333333333")
IMAGE = UUID("abcdef01-4444-4444-8444-444444444444")
PROJECT = UUID("55555555-5555-4555-8555-555555555555")


def written_guest(**changes: Any) -> bytes:
    """Return what the API says of a guest."""
    guest = Guest(
        uuid=SERVER,
        name="Web 1",
        hostname="web-1",
        project=PROJECT,
        metadata={"role": "db"},
        keys=(Key("mine", "ssh", "ssh-ed25519 AAAA me"), Key("w", "x509", "MIIB")),
        user_data="IyEvYmluL3NoCg==",
        interfaces=(
            Interface(
                PORT,
                "aa:00:00:00:00:01",
                1450,
                NETWORK,
                (
                    Address("10.0.0.7", 24, "10.0.0.1", True, 4),
                    Address("fd00::7", 64, None, False, 6, (), ("fd00::53",)),
                ),
            ),
        ),
    )
    given: dict[str, Any] = {
        "guest": guest,
        "password": "",
        "image": IMAGE,
        "flavor": "m1.tiny",
        "launch_index": 0,
        "reservation": "r-1",
        "groups": ("default", "web"),
        "floating": ("198.18.0.9",),
    }
    return written(Served(**{**given, **changes}))


def known(**changes: Any) -> Known:
    """Return the same as a node knows it."""
    return Known(parsed(written_guest(**changes)), b"seed")
