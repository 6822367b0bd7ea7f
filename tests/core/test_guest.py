"""What guests are told, and the passwords that they get."""

import base64
import json
import os
import zlib
from ipaddress import ip_address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.guest import (
    Address,
    File,
    Guest,
    Interface,
    Key,
    Parameters,
    Secret,
    pieces,
    written,
)
from snf.core.guest_password import generate
from snf.core.subnet import Route

GUEST = Guest(
    uuid=UUID(int=1),
    name="web",
    hostname="web",
    project=UUID(int=2),
    metadata={"k": "v"},
    keys=(Key("mine", "ssh", "ssh-ed25519 AAAA me"),),
    user_data="IyEvYmluL3No",
    secret=Secret("hunter2", (File("/etc/x", "c2VjcmV0"),)),
    properties={"OS": "debian"},
    interfaces=(
        Interface(
            UUID(int=3),
            "aa:00:00:00:00:01",
            1500,
            UUID(int=4),
            (
                Address(
                    "192.0.2.10",
                    24,
                    "192.0.2.1",
                    True,
                    4,
                    (Route("198.51.100.0/24", ip_address("192.0.2.9")),),
                    ("192.0.2.53",),
                ),
            ),
        ),
    ),
)


class WrittenTests(SynchronousTestCase):
    """``written`` and ``pieces``."""

    def test_json(self) -> None:
        """It has all that the node's program reads."""
        self.assertEqual(
            {
                "version": 1,
                "uuid": str(UUID(int=1)),
                "name": "web",
                "hostname": "web",
                "project_id": str(UUID(int=2)),
                "availability_zone": "nova",
                "metadata": {"k": "v"},
                "keys": [
                    {"name": "mine", "type": "ssh", "public_key": "ssh-ed25519 AAAA me"}
                ],
                "admin_pass": "hunter2",
                "user_data": "IyEvYmluL3No",
                "personality": [
                    {
                        "path": "/etc/x",
                        "contents": "c2VjcmV0",
                        "owner": "root",
                        "group": "root",
                        "mode": 0o440,
                    }
                ],
                "properties": {"OS": "debian"},
                "interfaces": [
                    {
                        "id": str(UUID(int=3)),
                        "mac": "aa:00:00:00:00:01",
                        "mtu": 1500,
                        "network_id": str(UUID(int=4)),
                        "ips": [
                            {
                                "address": "192.0.2.10",
                                "prefix": 24,
                                "gateway": "192.0.2.1",
                                "dhcp": True,
                                "version": 4,
                                "routes": [
                                    {
                                        "destination": "198.51.100.0/24",
                                        "nexthop": "192.0.2.9",
                                    }
                                ],
                                "dns": ["192.0.2.53"],
                            }
                        ],
                    }
                ],
            },
            json.loads(written(GUEST)),
        )

    def test_hidden(self) -> None:
        """No secret is in a text of it."""
        shown = repr(GUEST) + repr(Parameters({}, {"guest": "hunter2"}))
        for secret in ("hunter2", "c2VjcmV0", "IyEvYmluL3No"):
            self.assertNotIn(secret, shown)

    @given(st.binary(max_size=4096), st.integers(1, 120))
    def test_pieces(self, content: bytes, times: int) -> None:
        """The pieces together are the whole, and none is too large for a variable."""
        body = content * times + os.urandom(1000 * times)
        found = pieces(body)
        names = ["guest", *(f"guest_{n}" for n in range(2, len(found) + 1))]
        self.assertEqual(names, list(found))
        self.assertLessEqual(max(map(len, found.values())), 100_000)
        whole = base64.b64decode("".join(found.values()), validate=True)
        self.assertEqual(body, zlib.decompress(whole))


class PasswordTests(SynchronousTestCase):
    """``generate``."""

    def test_good(self) -> None:
        """It is what Windows asks for, and what nobody reads wrongly."""
        made = {generate(os.urandom) for _ in range(200)}
        self.assertEqual(200, len(made))
        for password in made:
            self.assertEqual(16, len(password))
            self.assertTrue(password[0].isalpha())
            for test in (str.isupper, str.islower, str.isdigit):
                self.assertTrue(any(map(test, password)), password)
            self.assertTrue(set(password) & set("+-_.="))
            self.assertFalse(set(password) & set("0O1Il\"'`$\\ "))
