"""``POST /servers`` with bodies that make no sense: always a 400 that names the field."""

from uuid import uuid4

from snf.testing.world import ALICE, NETWORK, TINY
from tests.api.case import SERVERS, ApiTestCase

# Of each type one, for fields that are of another.
OF_TYPE = {
    "null": None,
    "number": 7,
    "fraction": 1.5,
    "bool": True,
    "text": "x",
    "list": [1],
    "object": {"x": 1},
}

# What each field may be of these; what is absent must be refused.
MAY_BE = {
    "name": {"text"},
    "flavorRef": set(),
    "imageRef": set(),
    "metadata": set(),
    "networks": {"null"},
    "block_device_mapping_v2": set(),
    "security_groups": set(),
    "min_count": {"null", "number"},
    "max_count": {"null", "number"},
    "return_reservation_id": {"bool"},
    "config_drive": {"null", "bool"},
    "key_name": {"null"},
    "user_data": {"null"},
    "availability_zone": {"null"},
    "accessIPv4": {"null"},
    "accessIPv6": {"null"},
    "OS-DCF:diskConfig": set(),
}

DEVICE = {"uuid": str(TINY.id)}


class RefusedTests(ApiTestCase):
    """What is refused, and how."""

    def assert_bad(self, field: str, **changes) -> None:
        """It is a 400 that begins with the field's name, and nothing is stored."""
        reply = self.create(**changes)
        self.assertEqual(400, reply.code, (changes, reply.text))
        self.assertEqual({"badRequest"}, set(reply.json))
        self.assertEqual(400, reply.json["badRequest"]["code"])
        self.assertIn(field, reply.message)
        self.assertEqual([], self.sql("SELECT id FROM server"))

    def test_types(self) -> None:
        """Every field refuses every value of a wrong type."""
        for field, allowed in MAY_BE.items():
            for kind, value in OF_TYPE.items():
                if kind in allowed:
                    continue
                with self.subTest(field=field, kind=kind):
                    named = "image" if kind == "text" and field == "imageRef" else field
                    self.assert_bad(named, **{field: value})

    def test_unknown_fields(self) -> None:
        """A field that is not known is named."""
        for field in ("flavour", "adminPass", "tags", ""):
            self.assert_bad(field, **{field: []})
        for body in (
            {"server": {}, "servers": {}},
            {"server": {"name": "x"}, "os:scheduler_hints": {}},
        ):
            reply = self.call("POST", SERVERS, body, by=ALICE)
            self.assertEqual(400, reply.code)

    def test_missing_fields(self) -> None:
        """A field that must be there is named."""
        for body, named in (
            ({}, "server"),
            ({"server": {}}, "name"),
            ({"server": {"name": "x"}}, "flavorRef"),
        ):
            reply = self.call("POST", SERVERS, body, by=ALICE)
            self.assertEqual(400, reply.code)
            self.assertIn(named, reply.message)

    def test_body(self) -> None:
        """The body is an object with an object in it."""
        for value in OF_TYPE.values():
            for body in (value, {"server": value}):
                if body is not None:
                    reply = self.call("POST", SERVERS, body, by=ALICE)
                    self.assertEqual(400, reply.code, reply.text)

    def test_names(self) -> None:
        """A name is not empty, blank, too long, or broken by control characters."""
        for name in (
            "",
            "x" * 256,
            "🐇" * 256,
            " ",
            "\N{NO-BREAK SPACE}",
            "a\0b",
            "\0",
            "a\nb",
            "a\n",
            "\r",
            "\x1b[2J",
            "\x7f",
            "\x85",
        ):
            self.assert_bad("server.name", name=name)

    def test_lone_surrogates(self) -> None:
        """Half a character is not JSON."""
        body = b'{"server": {"name": "\\ud800", "flavorRef": "x"}}'
        reply = self.call("POST", SERVERS, by=ALICE, data=body)
        self.assertEqual(400, reply.code)

    def test_metadata(self) -> None:
        """At most 128 items of text, with keys of 1 to 255 characters."""
        for metadata in (
            {f"key {number}": "x" for number in range(129)},
            {"": "x"},
            {"k" * 256: "x"},
            {"k": "v" * 256},
            {"k": 1},
            {"k": None},
            {"k": {"x": "y"}},
            {"k\n": "x"},
            {"a\0b": "x"},
            {"k": "a\0b"},
            ["k"],
        ):
            self.assert_bad("server.metadata", metadata=metadata)

    def test_networks(self) -> None:
        """Networks are named by ids of networks that there are, eight at most."""
        for wanted in (
            "all",
            ["auto"],
            [{}],
            [{"uuid": 1}],
            [{"uuid": None}],
            [{"port": str(uuid4())}],
            [{"uuid": str(NETWORK.id), "fixed_ip": "nonsense"}],
            [{"uuid": str(NETWORK.id)}] * 9,
        ):
            self.assert_bad("server.networks", networks=wanted)
        for missing in ("x", str(uuid4()), "\0"):
            self.assert_bad("Network", networks=[{"uuid": missing}])

    def test_not_offered(self) -> None:
        """What is not offered is refused, rather than left out in silence."""
        for field, value in (
            ("config_drive", "maybe"),
            ("user_data", "not in Base64"),
            ("availability_zone", "nova:host"),
            ("accessIPv4", "192.0.2.1"),
            ("min_count", 0),
            ("max_count", 101),
            ("max_count", 0),
            ("security_groups", [{"name": "web"}]),
            ("security_groups", [{"id": "default"}]),
            ("OS-DCF:diskConfig", "auto"),
        ):
            self.assert_bad(f"server.{field}", **{field: value})

    def test_what_is_allowed(self) -> None:
        """Where a field has but a few values the refusal says which."""
        device = DEVICE | {"destination_type": "volume"}
        for field, value, words in (
            ("config_drive", "maybe", '"true"'),
            ("availability_zone", "nova:host", '"nova"'),
            ("block_device_mapping_v2", [device], '"local"'),
        ):
            reply = self.create(**{field: value})
            self.assertEqual(400, reply.code, field)
            self.assertIn("must be ", reply.message)
            self.assertIn(words, reply.message)

    def test_block_devices(self) -> None:
        """There is one disk, local, made from the image, and gone with the server."""
        for device in (
            {},
            DEVICE | {"boot_index": 1},
            DEVICE | {"boot_index": None},
            DEVICE | {"source_type": "volume"},
            DEVICE | {"destination_type": "volume"},
            DEVICE | {"delete_on_termination": False},
            DEVICE | {"volume_size": 5},
            {"uuid": None},
        ):
            self.assert_bad(
                "server.block_device_mapping_v2", block_device_mapping_v2=[device]
            )
        self.assert_bad(
            "server.block_device_mapping_v2", block_device_mapping_v2=[DEVICE] * 2
        )

    def test_numbers(self) -> None:
        """Numbers beyond all bounds are refused like others."""
        for number in (10**18, 2**64, -1, 1e308):
            self.assert_bad("server.min_count", min_count=number)
        for text in (b"1e999", b"1" * 5000, b"NaN", b"Infinity"):
            raw = b'{"server": {"name": "x", "min_count": %s}}' % text
            reply = self.call("POST", SERVERS, by=ALICE, data=raw)
            self.assertEqual(400, reply.code, text)
