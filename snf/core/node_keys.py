"""The keys that follow from the one that APIs and submitters share."""

from attrs import field, frozen

from snf.core.sealing import Seal
from snf.core.signing import Signer, derived

# As many characters as 16 random bytes have in hexadecimal.
SHORTEST = 32


@frozen
class NodeKeys:
    """What seals for guests, and what signs URLs for nodes.

    :ivar shared: Of requests between nodes and APIs. Every node has its key, and of the
        others none.
    """

    seal: Seal = field(repr=False)
    signer: Signer = field(repr=False)
    shared: Signer = field(repr=False)

    @classmethod
    def of(cls, key: str) -> "NodeKeys":
        """Return those of what the file of ``[nodes] key_file`` holds."""
        return cls(
            Seal.of(derived(key, b"seal")),
            Signer(derived(key, b"sign")),
            Signer(derived(key, b"node")),
        )


def written(keys: NodeKeys) -> str:
    """Return the key that nodes are given, as their file holds it: in hexadecimal."""
    return keys.shared.key.hex()


def read_shared(text: str) -> Signer:
    """
    Return the signer of a node, of what its file holds.

    :raises ValueError: It is not what ``written`` returned.
    """
    key = bytes.fromhex(text) if text.isascii() else b""
    if len(key) != 32:
        raise ValueError("is not 64 hexadecimal digits, as snf-manage node-key prints")
    return Signer(key)
