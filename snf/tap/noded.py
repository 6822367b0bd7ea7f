"""``twistd snf-noded``: what a node does for its guests, and for the API."""

import sys
from pathlib import Path

from twisted.application.service import IService, MultiService
from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from snf.config import ConfigError
from snf.noded.config import Known, read
from snf.noded.service import Server
from snf.privileges import Refused, user
from snf.tap.garbage import Frozen


class Options(usage.Options):
    """The command line."""

    optParameters = [
        ["config", "c", "/etc/cyclades/noded.toml", "The configuration file."],
    ]
    optFlags = [["check", None, "Say whether the configuration is valid, and end."]]

    def postOptions(self) -> None:
        """
        Read what the command line names.

        :raises UsageError: The configuration cannot be used; the text says why.
        """
        file = Path(self["config"])
        try:
            self.known = known(file)
        except ConfigError as problem:
            raise usage.UsageError(str(problem)) from None
        if self["check"]:
            sys.stdout.write(f"{file}: valid\n")
            raise SystemExit(0)


def known(file: Path) -> Known:
    """
    Return what a file says, and what is in the files that it names.

    :raises ConfigError: One is not valid.
    """
    from twisted.internet import reactor

    found = read(file)
    settings = found.settings
    try:
        user(settings.process.user)
    except Refused as problem:
        raise ConfigError(f"{file}: process: user: {problem}") from None
    try:
        if settings.node.listen:
            serverFromString(reactor, settings.node.listen)
    except (ValueError, LookupError, TypeError, OSError) as problem:
        raise ConfigError(f"{file}: node: listen: {problem}") from None
    return found


def makeService(options: Options) -> IService:
    """Return the service that the options describe."""
    from twisted.internet import reactor

    whole = MultiService()
    Server(reactor, options.known).setServiceParent(whole)
    Frozen().setServiceParent(whole)
    return whole
