"""``snf-manage node-key``."""

from snf.core.node_keys import NodeKeys, read_shared
from tests.manage.case import ManageTestCase


class NodeKeyTests(ManageTestCase):
    """The key that is put on nodes."""

    def give(self, key: str) -> None:
        """Have a key that APIs and submitters share."""
        self.secret.write_text(f"{key}\n")
        with self.config.open("a") as file:
            file.write(f"[nodes]\nkey_file = '{self.secret}'\n")

    def test_printed(self) -> None:
        """It signs as APIs expect of nodes, and is none of the keys that APIs keep."""
        self.give("a" * 32)
        said = self.manage("node-key")
        self.assertEqual(0, said.code, said.err)
        keys = NodeKeys.of("a" * 32)
        self.assertEqual(keys.shared, read_shared(said.out.strip()))
        self.assertNotEqual(keys.signer, keys.shared)

    def test_none(self) -> None:
        """Without a key, or with a short one, a line says what is missing."""
        said = self.manage("node-key")
        self.assertEqual((1, ""), (said.code, said.out))
        self.assertIn("nodes: key_file", said.err)
        self.give("short")
        said = self.manage("node-key")
        self.assertEqual((1, ""), (said.code, said.out))
        self.assertNotIn("short\n", said.err)
