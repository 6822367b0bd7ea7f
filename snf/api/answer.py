"""What a route's function returns where that is more than JSON."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen


@frozen
class Answer:
    """What to answer when it is more than a 200 with JSON."""

    body: Any = None
    code: int | None = None
    headers: Mapping[str, str] = field(factory=dict)


@frozen
class Afterwards:
    """What makes the answer once the transaction is over: a coroutine function."""

    work: Callable[[], Awaitable[Any]]
