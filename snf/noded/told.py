"""What the API says of guests, kept for a moment: a guest asks for it piece by piece."""

import re
from collections import OrderedDict
from collections.abc import Callable

import orjson
from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snf.core.signing import METADATA_PATH, PASSWORD_PATH
from snf.flights import Flights
from snf.noded.api import Api, Away
from snf.noded.guest import Known, parsed

_log = Logger()

_KEPT_AT_MOST = 2000
# How long it is believed that there is no answer, however often a guest asks.
_AWAY_S = 1.0
_SEED_BYTES = 512


@define(eq=False)
class Told:
    """
    What guests are told, by the names of their instances.

    :ivar random_bytes: Returns so many of them.
    """

    api: Api
    clock: IReactorTime
    prefix: str
    kept_s: float
    random_bytes: Callable[[int], bytes]
    _kept: "OrderedDict[str, tuple[float, Known | Away | None]]" = field(
        init=False, factory=OrderedDict
    )
    _flights: "Flights[Known | Away | None]" = field(init=False, factory=Flights)

    async def of(self, instance: str) -> Known | None:
        """
        Return what a guest is told; None if it is no server of the cloud's.

        :raises Away: The API does not say.
        """
        number = self._number(instance)
        if number is None:
            return None
        now = self.clock.seconds()
        until, known = self._kept.get(number, (now, None))
        if now >= until:
            known = await self._flights.join(number.encode(), lambda: self._fly(number))
        if isinstance(known, Away):
            raise known
        return known

    async def tell(self, instance: str, password: str) -> bool:
        """
        Have a password kept that a guest has made up; return whether it is its first.

        It is not asked where it has one already, as far as is known here.

        :raises Away: The API does not say.
        """
        known = await self.of(instance)
        number = self._number(instance)
        if known is None or number is None or known.guest.password:
            return False
        body = orjson.dumps({"password": password})
        answer = await self.api.ask("POST", PASSWORD_PATH.format(number), body)
        self._kept.pop(number, None)
        if answer.status not in (204, 404, 409):
            raise self._unexpected(number, answer.status)
        return answer.status == 204

    async def _fly(self, number: str) -> Known | Away | None:
        found: Known | Away | None
        try:
            found, kept_s = await self._ask(number), self.kept_s
        except Away as problem:
            found, kept_s = problem, _AWAY_S
        self._keep(number, found, kept_s)
        return found

    async def _ask(self, number: str) -> Known | None:
        answer = await self.api.ask("GET", METADATA_PATH.format(number))
        known = None
        if answer.status == 200:
            try:
                guest = parsed(answer.body)
            except ValueError as problem:
                raise Away(str(problem)) from None
            known = Known(guest, self.random_bytes(_SEED_BYTES))
        elif answer.status != 404:
            raise self._unexpected(number, answer.status)
        return known

    def _keep(self, number: str, known: Known | Away | None, kept_s: float) -> None:
        if kept_s > 0:
            self._kept[number] = (self.clock.seconds() + kept_s, known)
            self._kept.move_to_end(number)
        while len(self._kept) > _KEPT_AT_MOST:
            self._kept.popitem(last=False)

    def _number(self, instance: str) -> str | None:
        match = re.fullmatch(rf"{self.prefix}-([1-9][0-9]{{0,17}})", instance)
        return None if match is None else match[1]

    def _unexpected(self, number: str, status: int) -> Away:
        _log.warn(
            "of server {number} the API says {status}: {hint}",
            number=number,
            status=status,
            hint=_HINTS.get(status, "what that is to mean is not known here"),
        )
        return Away(f"status {status}")


_HINTS = {
    403: "is the file of [node] key_file what `snf-manage node-key` prints, and are "
    "the clocks right?",
    409: "its user data cannot be read, since [nodes] key_file has changed",
}
