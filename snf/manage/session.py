"""One run of ``snf-manage``: its settings and its database."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from attrs import frozen

from snf.config import Cyclades, secret
from snf.core.errors import Conflict
from snf.storage.database import Transaction, connect

_P = ParamSpec("_P")
_R = TypeVar("_R")


@frozen
class Session:
    """What the commands work with."""

    settings: Cyclades

    @property
    def password(self) -> str | None:
        """The database's password, where one is configured."""
        path = self.settings.database.password_file
        return None if path is None else secret(path)

    def check_own_accounts(self) -> None:
        """
        Return if the accounts are kept here.

        :raises Conflict: They are kept by a Keystone.
        """
        url = self.settings.keystone.auth_url
        if url is not None:
            raise Conflict(f"accounts are kept by the Keystone at {url}: see there")

    def run(
        self,
        function: Callable[Concatenate[Transaction, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """Return what ``function(txn, ...)`` returns, called in a transaction."""
        connection = connect(self.settings.database.dsn, self.password)
        try:
            with connection, connection.cursor() as txn:
                return function(txn, *args, **kwargs)
        finally:
            connection.close()
