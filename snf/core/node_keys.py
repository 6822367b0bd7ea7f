"""The keys that follow from the one that APIs and submitters share."""

from attrs import field, frozen

from snf.core.sealing import Seal
from snf.core.signing import Signer, derived

# As many characters as 16 random bytes have in hexadecimal.
SHORTEST = 32


@frozen
class NodeKeys:
    """What seals for guests, and what signs URLs for nodes."""

    seal: Seal = field(repr=False)
    signer: Signer = field(repr=False)

    @classmethod
    def of(cls, key: str) -> "NodeKeys":
        """Return those of what the file of ``[nodes] key_file`` holds."""
        return cls(Seal.of(derived(key, b"seal")), Signer(derived(key, b"sign")))
