"""What is secret is not told by accident: not in a log, not in a traceback."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

import snf
from snf.api.call import Call

_SECRET = ("password", "secret", "token")


def classes() -> Iterator[type[Any]]:
    """Yield every class of attrs that is ours."""
    for found in pkgutil.walk_packages(snf.__path__, "snf."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for known in vars(module).values():
            ours = isinstance(known, type) and known.__module__ == found.name
            if ours and attrs.has(known):
                yield known


def holds_a_secret(field: "attrs.Attribute[Any]") -> bool:
    """Whether a field has a secret itself: a text, and neither a file's name nor a way."""
    return field.name in _SECRET and field.type in (
        str,
        str | None,
        "str",
        "str | None",
    )


class ReprTests(SynchronousTestCase):
    """What a value looks like when it is printed."""

    def test_left_out(self) -> None:
        """No secret is part of it."""
        told, held = [], 0
        for known in classes():
            for field in attrs.fields(known):
                if holds_a_secret(field):
                    held += 1
                    if field.repr:
                        told.append(f"{known.__module__}.{known.__name__}.{field.name}")
        self.assertEqual([], told)
        self.assertGreater(held, 5)

    def test_bodies(self) -> None:
        """Nor is what a client has sent."""
        self.assertFalse(attrs.fields(Call).body.repr)
