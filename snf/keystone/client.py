"""A client of Keystone: what a token stands for."""

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from snf import http, trust
from snf.core.errors import Unavailable
from snf.flights import Flights
from snf.http import HttpClient
from snf.keystone.account import Account, Tls
from snf.keystone.exchange import Exchange, policy_failure
from snf.keystone.token import Said, moment, read

# A token of ours is replaced when this part of its life is left, or this many seconds.
_REST = 0.2
_REST_S = 300.0


def connect(reactor: Any, account: Account, timeout_s: float, at_once: int) -> "Client":
    """
    Return a client of a Keystone.  Nothing is sent yet.

    :param timeout_s: How long one request may take from its beginning to its end.
    :param at_once: How many requests there are at a time.
    """
    trusting = {
        Tls.VERIFY: trust.verified,
        Tls.PINNED: lambda host, pem: trust.pinned(pem or ""),
    }[account.tls]
    policy = http.FilePolicy(account.ca_file, trusting, policy_failure)
    pool = http.pooled(reactor, kept=at_once, again=True)
    made = over(
        http.client(reactor, policy, timeout_s, pool),
        account,
        reactor,
        timeout_s,
        at_once,
    )
    made.disconnect = pool.closeCachedConnections
    return made


def over(
    http: HttpClient,
    account: Account,
    clock: IReactorTime,
    timeout_s: float,
    at_once: int = 10,
) -> "Client":
    """Return a client that makes its requests through a given HTTP client."""
    return Client(account, Exchange(account.v3, http, clock, timeout_s, at_once))


@define(eq=False)
class Client:
    """Asks a Keystone about tokens, with a token of its own that it renews in time."""

    account: Account
    exchange: Exchange
    disconnect: "Any" = None
    _own: str | None = field(init=False, default=None, repr=False)
    _renew: float = field(init=False, default=0.0)
    _flights: Flights[str] = field(init=False, factory=Flights)

    async def close(self) -> None:
        """Close the connections that are kept for later."""
        if self.disconnect is not None:
            ended: Deferred[Any] = self.disconnect()
            await ended

    async def validate(self, token: str) -> Said | None:
        """
        Return what a token stands for; None when Keystone knows no such token.

        :param token: Printable ASCII.
        :raises Unavailable: Keystone cannot be asked, or does not let us.
        """
        began = self.exchange.clock.seconds()
        for _ in range(2):
            own = await self._token()
            answer = await self.exchange.ask(
                "GET",
                "/auth/tokens?nocatalog",
                (200, 401, 404),
                {"X-Auth-Token": own, "X-Subject-Token": token},
            )
            if answer.status == 404:
                return None
            if answer.status == 200:
                now = answer.now or self.exchange.clock.seconds()
                return self._understood(began, answer.content, now)
            # Ours has ended before its time: revoked, or Keystone's keys are others.
            if own == self._own:
                self._own = None
        raise self.exchange.useless(
            "refuses the token that it has just given us", began
        )

    async def _token(self) -> str:
        if self._own is not None and self.exchange.clock.seconds() < self._renew:
            return self._own
        return await self._flights.join(b"", self._log_in)

    async def _log_in(self) -> str:
        began = self.exchange.clock.seconds()
        answer = await self.exchange.ask(
            "POST", "/auth/tokens?nocatalog", (201,), {}, self._credentials()
        )
        try:
            token = answer.content["token"]
            ends, begins = moment(token["expires_at"]), moment(token["issued_at"])
        except (LookupError, TypeError, ValueError):
            raise self._nonsense(began) from None
        if not answer.token:
            raise self._nonsense(began)
        # By Keystone's own clock: how far ours is from it makes no difference.
        lifetime = (ends - begins).total_seconds()
        self._own = answer.token
        self._renew = began + lifetime - min(lifetime * _REST, _REST_S)
        return answer.token

    def _credentials(self) -> Any:
        account = self.account
        user = {
            "name": account.user,
            "domain": {"name": account.user_domain},
            "password": account.password,
        }
        project = {"name": account.project, "domain": {"name": account.project_domain}}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }

    def _understood(self, began: float, content: Any, now: float) -> Said:
        try:
            return read(content, self.account.roles, now)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            raise self._nonsense(began) from None

    def _nonsense(self, began: float) -> Unavailable:
        return self.exchange.useless("the answer is not as expected", began)
