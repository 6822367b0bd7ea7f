"""What chance says in ``test_addresses``, and how often it has what happen."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from snf.testing.world import EXTERNAL_SUBNET

# So few that they are gone now and then.
POOL = [EXTERNAL_SUBNET.pools[0].first + number for number in range(12)]


@frozen
class Dice:
    """What chance says: which of what there is, and how it goes."""

    which: int = 0
    other: int = 0
    well: bool = True
    hot: bool = True
    old: bool = False
    address: Any = None

    def of(self, found: Sequence[Any]) -> Any:
        """Return one of some things; None where there are none."""
        return found[self.which % len(found)] if found else None


GOOD = Dice()
_PROBABLY = st.sampled_from([True, True, True, False])
DICE = st.builds(
    Dice,
    which=st.integers(0, 99),
    other=st.integers(0, 99),
    well=_PROBABLY,
    hot=_PROBABLY,
    old=st.booleans(),
    address=st.none() | st.sampled_from(POOL),
)
# How often each happens; not a rule each, of which Hypothesis would leave some out.
_HAPPENINGS = {
    "a_server": 1,
    "an_action": 2,
    "a_deletion": 1,
    "a_port": 2,
    "a_port_less": 1,
    "an_attachment": 7,
    "a_detachment": 6,
    "a_floating_ip": 2,
    "an_association": 6,
    "a_disassociation": 2,
    "a_release": 1,
    "a_submission": 8,
    "an_end": 10,
    "an_operator": 1,
    "a_message": 8,
    "a_loss": 2,
    "a_memory_less": 1,
    "good_time": 3,
    "a_look": 3,
    "a_levelling": 3,
}
CHOICES = [what for what, often in _HAPPENINGS.items() for _ in range(often)]
