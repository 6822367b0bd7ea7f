"""Which values a field may have, told from the type of a body."""

from enum import Enum
from typing import Annotated, Literal

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from snf.api.allowed import allowed


class Color(Enum):
    """Some values by a name each."""

    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct):
    """An object within another one."""

    only: Literal[True] = True
    color: Color | msgspec.UnsetType = msgspec.UNSET


class Outer(msgspec.Struct):
    """A body."""

    inner: Inner | None = None
    named: Literal[0, "0"] = msgspec.field(name="NS:named", default=0)
    many: Annotated[list[Inner], msgspec.Meta(max_length=3)] = []
    any_keys: dict[str, Literal["a", "b", None]] = {}
    free: str = ""


class AllowedTests(SynchronousTestCase):
    """``allowed``."""

    def test_places(self) -> None:
        """Wherever in a body a field is."""
        for place, expected in (
            ("inner.only", "true"),
            ("inner.color", '"red" or "blue"'),
            ("NS:named", '0 or "0"'),
            ("many[2].only", "true"),
            ("many[...].color", '"red" or "blue"'),
            ("any_keys[...]", 'null, "a" or "b"'),
        ):
            self.assertEqual(expected, allowed(Outer, place), place)

    def test_none(self) -> None:
        """Nothing is said where all texts are allowed, or where there is no such field."""
        for place in ("free", "nothing", "free.x", "many", ""):
            self.assertEqual("", allowed(Outer, place), place)
